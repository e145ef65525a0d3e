"""Metrics of the mock: those of OAP's core.oal that are useful to judge a canary."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from skywalking_provider.mock_oap.aggregation import Tally
from skywalking_provider.mock_oap.entity_ids import MetricScope


class MetricType(StrEnum):
    """OAP's `MetricsType`."""

    UNKNOWN = "UNKNOWN"
    REGULAR = "REGULAR_VALUE"
    LABELED = "LABELED_VALUE"


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric: its name, scope and formula."""

    name: str
    scope: MetricScope
    value: Callable[[Tally, int], int] | None
    """Formula over the calls of a bucket and its number of minutes; None for percentiles, which have labels."""

    @property
    def type(self) -> MetricType:
        """The type of the metric in OAP."""
        return MetricType.LABELED if self.value is None else MetricType.REGULAR

    @property
    def catalog(self) -> str:
        """The catalog of the metric in OAP."""
        return _CATALOG[self.scope]


_CATALOG: Final = {
    MetricScope.SERVICE: "SERVICE",
    MetricScope.INSTANCE: "SERVICE_INSTANCE",
    MetricScope.ENDPOINT: "ENDPOINT",
}


def _cpm(tally: Tally, minutes: int) -> int:
    return tally.calls // minutes


def _sla(tally: Tally, _: int) -> int:
    return tally.successes * 10_000 // tally.calls


def _resp_time(tally: Tally, _: int) -> int:
    return tally.latency_sum // tally.calls


def _apdex(tally: Tally, _: int) -> int:
    return tally.apdex()


def _zero(_tally: Tally, _: int) -> int:
    return 0


# In the recorded order of listMetrics, which is that of a hash map.
METRICS: Final = {
    metric.name: metric
    for metric in (
        MetricDefinition("service_cpm", MetricScope.SERVICE, _cpm),
        MetricDefinition("service_instance_sla", MetricScope.INSTANCE, _sla),
        MetricDefinition("service_instance_cpm", MetricScope.INSTANCE, _cpm),
        MetricDefinition("service_sla", MetricScope.SERVICE, _sla),
        MetricDefinition("service_percentile", MetricScope.SERVICE, None),
        MetricDefinition("service_sidecar_internal_req_latency_nanos", MetricScope.SERVICE, _zero),
        MetricDefinition("service_instance_resp_time", MetricScope.INSTANCE, _resp_time),
        MetricDefinition("service_resp_time", MetricScope.SERVICE, _resp_time),
        MetricDefinition("service_apdex", MetricScope.SERVICE, _apdex),
        MetricDefinition("endpoint_cpm", MetricScope.ENDPOINT, _cpm),
        MetricDefinition("endpoint_resp_time", MetricScope.ENDPOINT, _resp_time),
        MetricDefinition("endpoint_sla", MetricScope.ENDPOINT, _sla),
        MetricDefinition("endpoint_percentile", MetricScope.ENDPOINT, None),
    )
}


def find_metrics(regex: str | None) -> list[MetricDefinition]:
    """Return the metrics whose whole name matches a pattern; all if it is None."""
    return [metric for metric in METRICS.values() if regex is None or re.fullmatch(regex, metric.name)]
