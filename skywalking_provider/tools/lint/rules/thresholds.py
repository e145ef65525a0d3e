"""Rules about thresholds: traffic can decide them, and one failed call does not.

The conditions themselves are evaluated at the values in question, whatever their form.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Final

from skywalking_provider.analysis.judging import judge_sides
from skywalking_provider.block import IndicatorName, IndicatorSpec, JudgedSpec
from skywalking_provider.block.common import MINUTE
from skywalking_provider.block.judged import MAX_MINUTES
from skywalking_provider.judgement import Finding
from skywalking_provider.model import Phase
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.durations import format_duration
from skywalking_provider.tools.lint.blocks import Block
from skywalking_provider.tools.lint.findings import Problem
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.prober import Conditions, Prober
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.result_shapes import MANY_CALLS, build_sides, strip_selection
from skywalking_provider.tools.lint.rules.conditions import has_known_conditions, read_conditions
from skywalking_provider.tools.lint.rules.limits import count_measurements, read_interval

_EXACT_CALLS: Final = 10_000
"""Calls of a minute up to which OAP's ratios of four digits have the number of failed calls exactly."""
_MOST_MINUTES: Final = 20
"""Minutes that are judged first, because most findings take less."""
_CALLS: Final = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
"""Numbers of calls that are suggested as minCalls."""


async def find_threshold_problems(metric: TemplateMetric, block: Block, prober: Prober) -> AsyncIterator[Problem]:
    """Yield the problems of a threshold, or of the limits of a judged block."""
    spec = block.spec
    if isinstance(spec, JudgedSpec):
        for one in _find_short_wait(metric, block, spec):
            yield one
        return
    is_rate = isinstance(spec, IndicatorSpec) and spec.sli in (IndicatorName.SUCCESS_RATE, IndicatorName.APDEX)
    if not isinstance(spec, IndicatorSpec) or not is_rate or not has_known_conditions(metric, block):
        return
    conditions = read_conditions(metric, block)
    if not conditions.written or not block.knows("sli", "window", "minCalls"):
        return
    if await _phase(prober, conditions, 1.0) is not Phase.SUCCESSFUL:
        return
    key = "conditions" if conditions.cel else "successCondition" if metric.text("successCondition") else ""
    path = (*metric.block_path, key) if conditions.cel else (*metric.path, key or "failureCondition")
    calls = _EXACT_CALLS * int(spec.window_length / MINUTE)
    if await _phase(prober, conditions, 1 - 1 / calls) is not Phase.SUCCESSFUL:
        message = (
            f"only a window without any failed call passes: OAP stores a rate with four digits, so that a window of"
            f" {format_duration(spec.window_length)} shows no rate between {1 - 1 / calls:.7g} and 1"
        )
        yield Problem(Rule.THRESHOLD_UNDECIDABLE, message, "Lower the threshold", path)
        return
    least = max(spec.min_calls, 1)
    fails = await _phase(prober, conditions, 1 - 1 / least) is Phase.FAILED
    if fails and metric.argo.limit("failureLimit") == 0 and metric.knows("failureLimit") and not metric.dry_run:
        enough = [n for n in _CALLS if await _phase(prober, conditions, 1 - 1 / n) is Phase.SUCCESSFUL]
        advice = f"Set minCalls to {enough[0]}, or judge" if enough else "Judge"
        one_of = f"of {least}" if least > 1 else "of a few"
        message = f"one failed call {one_of} aborts the rollout: failureLimit is 0, and minCalls is {spec.min_calls}"
        yield Problem(Rule.THRESHOLD_FIRST_NOISE, message, f"{advice} the canary with compare or objective", path)


def _find_short_wait(metric: TemplateMetric, block: Block, spec: JudgedSpec) -> Iterator[Problem]:
    """Yield the problem of a block that ends before any traffic can show its finding."""
    if not block.knows("maxWait", "confidence", "objective", "harmful", "compare.tolerated", "compare.harmful", "sli"):
        return
    count, interval = count_measurements(metric), read_interval(metric)
    if count is None:  # looks again and again until the rollout ends
        return
    length = spec.max_wait + (count - 1) * (interval or timedelta(0)) + MINUTE
    for finding in (Finding.WORSE, Finding.FINE):
        needed = _count_minutes(strip_selection(spec), finding)
        if needed is not None and needed * MINUTE <= length:
            continue
        takes = format_count(needed, "minute") if needed else f"more than {MAX_MINUTES // 60} hours"
        title = (
            "a canary that fails completely is found worse"
            if finding is Finding.WORSE
            else "a canary in order is found fine"
        )
        message = f"maxWait: {format_duration(spec.max_wait)} is too short: {title} after {takes} of any traffic"
        hint = f"Set maxWait to {format_duration((needed or MAX_MINUTES) * 2 * MINUTE)}"
        yield Problem(Rule.THRESHOLD_UNDECIDABLE, message, hint, (*metric.block_path, "maxWait"))
        return


@lru_cache(128)
def _count_minutes(spec: JudgedSpec, finding: Finding) -> int | None:
    """Return the minutes of unlimited traffic until a finding; None for more than MAX_MINUTES."""
    lengths = (_MOST_MINUTES, MAX_MINUTES)
    return next(filter(None, (_count_minutes_of(spec, finding, length) for length in lengths)), None)


def _count_minutes_of(spec: JudgedSpec, finding: Finding, length: int) -> int | None:
    worse = finding is Finding.WORSE
    judgement = judge_sides(build_sides(spec, length, MANY_CALLS, failing=worse))
    needed = judgement.confidence.worse_evidence if worse else judgement.confidence.fine_evidence
    reached = (
        one.minute + 1 for one in judgement.steps if (one.evidence.worse if worse else one.evidence.fine) >= needed
    )
    return next(reached, None)


async def _phase(prober: Prober, conditions: Conditions, value: float) -> Phase:
    phase, _ = await prober.evaluate(conditions, repr(value).encode())
    return phase
