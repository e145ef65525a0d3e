"""The metrics the mock knows: those of OAL's core file that a canary is judged by."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from skywalking_provider.mock_oap.entities import Scope
from skywalking_provider.mock_oap.traffic import Tally


class MetricType(StrEnum):
    """OAP's `MetricsType`."""

    UNKNOWN = "UNKNOWN"
    REGULAR = "REGULAR_VALUE"
    LABELED = "LABELED_VALUE"


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric by name: what it belongs to and how it follows from calls."""

    name: str
    scope: Scope
    value: Callable[[Tally, int], int] | None
    """From the calls of a bucket and its minutes; None for percentiles, which have labels."""

    @property
    def type(self) -> MetricType:
        """OAP's type."""
        return MetricType.LABELED if self.value is None else MetricType.REGULAR

    @property
    def catalog(self) -> str:
        """OAP's catalog."""
        return _CATALOG[self.scope]


_CATALOG: Final = {Scope.SERVICE: "SERVICE", Scope.INSTANCE: "SERVICE_INSTANCE", Scope.ENDPOINT: "ENDPOINT"}


def _cpm(tally: Tally, minutes: int) -> int:
    return tally.calls // minutes


def _sla(tally: Tally, _: int) -> int:
    return tally.successes * 10_000 // tally.calls


def _resp_time(tally: Tally, _: int) -> int:
    return tally.latency_sum // tally.calls


def _apdex(tally: Tally, _: int) -> int:
    return tally.apdex()


def _nothing(_tally: Tally, _: int) -> int:
    return 0


# In the order in which listMetrics was recorded (a hash map's).
METRICS: Final = {
    metric.name: metric
    for metric in (
        MetricDefinition("service_cpm", Scope.SERVICE, _cpm),
        MetricDefinition("service_instance_sla", Scope.INSTANCE, _sla),
        MetricDefinition("service_instance_cpm", Scope.INSTANCE, _cpm),
        MetricDefinition("service_sla", Scope.SERVICE, _sla),
        MetricDefinition("service_percentile", Scope.SERVICE, None),
        MetricDefinition("service_sidecar_internal_req_latency_nanos", Scope.SERVICE, _nothing),
        MetricDefinition("service_instance_resp_time", Scope.INSTANCE, _resp_time),
        MetricDefinition("service_resp_time", Scope.SERVICE, _resp_time),
        MetricDefinition("service_apdex", Scope.SERVICE, _apdex),
        MetricDefinition("endpoint_cpm", Scope.ENDPOINT, _cpm),
        MetricDefinition("endpoint_resp_time", Scope.ENDPOINT, _resp_time),
        MetricDefinition("endpoint_sla", Scope.ENDPOINT, _sla),
        MetricDefinition("endpoint_percentile", Scope.ENDPOINT, None),
    )
}


def matching(regex: str | None) -> list[MetricDefinition]:
    """The metrics whose whole name matches; all without a pattern."""
    return [metric for metric in METRICS.values() if regex is None or re.fullmatch(regex, metric.name)]
