"""Rules about interval, count and limits of a metric. No I/O.

Source: argo-rollouts analysis/analysis.go. A limit is exceeded by one more than its number. A metric that reaches its
count without exceeding a limit is Successful, whatever its measurements were.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from skywalking_provider.block import JudgedSpec, Spec
from skywalking_provider.block.common import MINUTE
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.durations import format_duration, parse_duration
from skywalking_provider.tools.check.argo.validation import runs_indefinitely
from skywalking_provider.tools.lint.blocks import Block
from skywalking_provider.tools.lint.findings import Problem
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.registry import Rule

_ERROR_PAUSE: Final = timedelta(seconds=10)
"""Pause after an Error before Argo measures again, whatever the interval is."""
_MIN_ERRORS: Final = 2
"""Errors that one restart of the bridge can cost: of the measurement that it ends, and of the next one."""
_MAX_ERRORS: Final = 360
"""Consecutive Errors of one hour."""


def read_interval(metric: TemplateMetric) -> timedelta | None:
    """Return the interval of a metric; None if it has none, or if it is unknown or invalid."""
    if not metric.argo.interval or not metric.knows("interval"):
        return None
    try:
        return parse_duration(metric.argo.interval)
    except ValueError:
        return None


def count_measurements(metric: TemplateMetric) -> int | None:
    """Return the number of measurements; None if it is not limited or not known."""
    if not metric.knows("count", "interval") or runs_indefinitely(metric.argo):
        return None
    return max(metric.argo.limit("count"), 1)


def find_limit_problems(metric: TemplateMetric, block: Block) -> Iterator[Problem]:
    """Yield the problems of interval, count and limits."""
    yield from _find_short_interval(metric)
    yield from _find_unreachable_limits(metric)
    yield from _find_error_limits(metric)
    if block.spec is not None:
        yield from _find_overlap(metric, block, block.spec)


def _find_short_interval(metric: TemplateMetric) -> Iterator[Problem]:
    interval = read_interval(metric)
    if interval is not None and timedelta(0) < interval < MINUTE:
        written = format_duration(interval)
        message = f"interval: {written} is shorter than SkyWalking's buckets of one minute: it measures a minute twice"
        yield Problem(Rule.INTERVAL_SHORT, message, "Set interval to 1m", (*metric.path, "interval"))


def _find_unreachable_limits(metric: TemplateMetric) -> Iterator[Problem]:
    count = count_measurements(metric)
    if count is None or metric.argo.limit("consecutiveSuccessLimit") > 0:
        return
    for key, phase in (("failureLimit", "Failed"), ("inconclusiveLimit", "Inconclusive")):
        limit = metric.argo.limit(key)
        if metric.knows(key, "consecutiveSuccessLimit") and limit >= count:
            looks = format_count(count, "measurement")
            message = f"{key}: {limit} is never exceeded by {looks}: all may be {phase}, and the metric is Successful"
            hint = f"Set {key} below {count}" if count > 1 else f"Remove {key}, or set count and interval"
            yield Problem(Rule.LIMIT_UNREACHABLE, message, hint, (*metric.path, key))


def _find_error_limits(metric: TemplateMetric) -> Iterator[Problem]:
    key = "consecutiveErrorLimit"
    if key not in metric.argo.limits or not metric.knows(key):
        return
    limit = metric.argo.limit(key)
    if 0 <= limit < _MIN_ERRORS and not metric.dry_run:
        which = "second Error in a row" if limit else "first Error"
        message = f"{key}: {limit} aborts at the {which}, and a restart of the bridge can cost two measurements"
        yield Problem(Rule.LIMIT_FIRST_ERROR, message, "Remove it: the default is 4", (*metric.path, key))
    if limit > _MAX_ERRORS:
        hours = limit * _ERROR_PAUSE / timedelta(hours=1)
        message = f"{key}: {limit} is one Error every 10 s for {hours:.1f} hours before the rollout aborts"
        yield Problem(Rule.LIMIT_ENDLESS_ERRORS, message, "Remove it: the default is 4", (*metric.path, key))


def _find_overlap(metric: TemplateMetric, block: Block, spec: Spec) -> Iterator[Problem]:
    """Yield the problem of a failureLimit that one bad minute exceeds, because it is in several windows."""
    interval, limit = read_interval(metric), metric.argo.limit("failureLimit")
    length = _window_length(spec)
    known = metric.knows("failureLimit") and block.knows("window", "interval")
    if not interval or length is None or not known or limit < 1:
        return
    windows = -(-length // interval)
    count = count_measurements(metric)
    if windows > limit and (count is None or count > limit):
        message = (
            f"a window of {format_duration(length)} each {format_duration(interval)} has the same minute in"
            f" {windows} measurements, more than failureLimit: {limit}"
        )
        hint = f"Set interval to {format_duration(length)}, or failureLimit to {windows}"
        yield Problem(Rule.LIMIT_OVERLAP, message, hint, (*metric.path, "failureLimit"))


def _window_length(spec: Spec) -> timedelta | None:
    """Return the length of the window; None for a block without one."""
    return None if isinstance(spec, JudgedSpec) else spec.window_length
