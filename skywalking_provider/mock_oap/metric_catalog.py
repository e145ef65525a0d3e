"""Metrics of the mock: those of OAP's core.oal that are useful to judge a canary, its callers and its databases."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from skywalking_provider.mock_oap.aggregation import Tally
from skywalking_provider.mock_oap.entity_ids import MetricScope
from skywalking_provider.mock_oap.layers import Layer

Formula = Callable[[Tally, int], int]


class MetricType(StrEnum):
    """OAP's `MetricsType`."""

    UNKNOWN = "UNKNOWN"
    REGULAR = "REGULAR_VALUE"
    LABELED = "LABELED_VALUE"


class DetectPoint(StrEnum):
    """Sides that report a call."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric: its name, scope and formula."""

    name: str
    scope: MetricScope
    value: Formula | None
    """Formula over the calls of a bucket and its number of minutes; None for percentiles, which have labels."""
    detect_point: DetectPoint | None = None
    """Side whose reports a metric of relations counts; None for other metrics."""
    layer: Layer | None = None
    """Layer whose services alone have the metric; None if it is that of all services except the virtual ones."""

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
    MetricScope.SERVICE_RELATION: "SERVICE_RELATION",
    MetricScope.INSTANCE_RELATION: "SERVICE_INSTANCE_RELATION",
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


def _relation_metrics(prefix: str, scope: MetricScope) -> Iterator[MetricDefinition]:
    for side in DetectPoint:
        for name, value in (("cpm", _cpm), ("call_sla", _sla), ("resp_time", _resp_time), ("percentile", None)):
            yield MetricDefinition(f"{prefix}_{side}_{name}", scope, value, detect_point=side)


def _virtual_metrics(prefix: str, layer: Layer) -> Iterator[MetricDefinition]:
    """Yield the metrics of a target without an agent, which its callers report. Their catalog is SERVICE."""
    for name, value in (("cpm", _cpm), ("sla", _sla), ("resp_time", _resp_time), ("percentile", None)):
        yield MetricDefinition(f"{prefix}_access_{name}", MetricScope.SERVICE, value, layer=layer)


# First in the recorded order of listMetrics, which is that of a hash map; then those that the recorded OAPs lack.
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
        *_relation_metrics("service_relation", MetricScope.SERVICE_RELATION),
        *_relation_metrics("service_instance_relation", MetricScope.INSTANCE_RELATION),
        *_virtual_metrics("database", Layer.VIRTUAL_DATABASE),
        *_virtual_metrics("cache", Layer.VIRTUAL_CACHE),
    )
}


def find_metrics(regex: str | None) -> list[MetricDefinition]:
    """Return the metrics whose whole name matches a pattern; all if it is None."""
    return [metric for metric in METRICS.values() if regex is None or re.fullmatch(regex, metric.name)]
