"""Argo's validation of the metrics of an analysis, with Argo's messages.

Source: argo-rollouts utils/analysis/factory.go (ValidateMetrics, ValidateMetric) and
pkg/apis/rollouts/v1alpha1 (EffectiveCount).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from skywalking_provider.tools.check.argo.durations import find_duration_error
from skywalking_provider.tools.templates import BUILT_IN_PROVIDER

IntOrText = int | str | None
"""Value of a field of type IntOrString; None if it is not set."""

LIMITS: Final = (
    "count",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
    "consecutiveSuccessLimit",
)
"""Fields of a metric of type IntOrString."""
_PROVIDERS: Final = frozenset(
    ("prometheus", "kayenta", "web", "datadog", "wavefront", "newRelic", "job", "cloudWatch", "graphite", "influxdb")
) | {BUILT_IN_PROVIDER}
_NUMBER: Final = re.compile(r"[-+]?[0-9]+")
_MAX_INT: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class ArgoMetric:
    """Fields of a metric that Argo validates, with arguments replaced.

    Attributes:
        name: Name of the metric.
        limits: Values of the fields in `LIMITS` that are set.
        interval: Interval in Go's notation; empty for none.
        initial_delay: Delay in Go's notation; empty for none.
        providers: Keys of the provider, and the name of each plugin instead of `plugin`.
    """

    name: str
    limits: Mapping[str, int | str]
    interval: str
    initial_delay: str
    providers: tuple[str, ...]

    def limit(self, key: str) -> int:
        """Return the value of a limit as Argo reads it."""
        return read_int(self.limits.get(key))


def read_argo_metric(metric: Mapping[str, Any]) -> ArgoMetric:
    """Return the validated fields of a metric. Its types are those of the CRD."""
    provider = metric.get("provider") or {}
    plugins = provider.get("plugin") or {}
    known = (key for key, value in provider.items() if key in _PROVIDERS and value is not None)
    return ArgoMetric(
        name=str(metric.get("name") or ""),
        limits={key: metric[key] for key in LIMITS if metric.get(key) is not None},
        interval=str(metric.get("interval") or ""),
        initial_delay=str(metric.get("initialDelay") or ""),
        providers=(*known, *plugins),
    )


def read_int(value: IntOrText) -> int:
    """Return a value of type IntOrString as Kubernetes reads it: a text that is not a number is 0."""
    if not isinstance(value, str):
        return value or 0
    if not _NUMBER.fullmatch(value):
        return 0
    return min(max(int(value[:40]), -_MAX_INT - 1), _MAX_INT)


def is_number(value: IntOrText) -> bool:
    """Return whether a value of type IntOrString is a number, or a text with one."""
    return not isinstance(value, str) or _NUMBER.fullmatch(value) is not None


def runs_indefinitely(metric: ArgoMetric) -> bool:
    """Return whether a metric is measured until the analysis ends, as only a background analysis permits."""
    return bool(metric.interval) and metric.limit("count") == 0


def find_metric_errors(metrics: Sequence[ArgoMetric]) -> Iterator[tuple[int, str]]:
    """Yield the position of each rejected metric and Argo's message. Argo itself reports the first one only."""
    names: set[str] = set()
    for at, metric in enumerate(metrics):
        error = f"duplicate name '{metric.name}'" if metric.name in names else find_metric_error(metric)
        names.add(metric.name)
        if error:
            yield at, f"metrics[{at}]: {error}"


def find_metric_error(metric: ArgoMetric) -> str:
    """Return the first error that Argo finds in a metric; empty for none."""
    return next(_find_errors(metric), "")


def _find_errors(metric: ArgoMetric) -> Iterator[str]:
    yield from _find_negative_limits(metric)
    yield from _find_small_count(metric)
    if metric.limit("count") > 1 and not metric.interval:
        yield "interval must be specified when count > 1"
    for title, text in (("interval", metric.interval), ("startDelay", metric.initial_delay)):
        if text and (error := find_duration_error(text)):
            yield f"invalid {title} string: {error}"
    if not metric.providers:
        yield "no provider specified"
    if len(metric.providers) > 1:
        yield "multiple providers specified"


def _find_negative_limits(metric: ArgoMetric) -> Iterator[str]:
    successes, failures = metric.limit("consecutiveSuccessLimit"), metric.limit("failureLimit")
    if successes < 0:
        yield "consecutiveSuccessLimit must be >= 0"
    if failures < -1:
        yield "failureLimit must be >= 0, or -1 to be disabled"
    if successes == 0 and failures == -1:
        yield "failureLimit and consecutiveSuccessLimit cannot both be disabled"
    if metric.limit("inconclusiveLimit") < 0:
        yield "inconclusiveLimit must be >= 0"
    if metric.limit("consecutiveErrorLimit") < 0:
        yield "consecutiveErrorLimit must be >= 0"


def _find_small_count(metric: ArgoMetric) -> Iterator[str]:
    count = metric.limit("count")
    successes, failures = metric.limit("consecutiveSuccessLimit"), metric.limit("failureLimit")
    if count <= 0:
        return
    if failures < 0 and count < successes:
        yield "count must be >= consecutiveSuccessLimit"
    elif count < _wrap(failures + successes):
        yield (
            f"count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failures} + {successes}) if both >= 0"
        )
    if count < metric.limit("inconclusiveLimit"):
        yield "count must be >= inconclusiveLimit"


def _wrap(value: int) -> int:
    """Return a sum as a 64-bit integer of Go, which wraps around."""
    return (value + _MAX_INT + 1) % (1 << 64) - _MAX_INT - 1
