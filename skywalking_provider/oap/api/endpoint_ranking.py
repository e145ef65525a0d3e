"""Rankings of a service's endpoints by the averages of their metrics: one request for all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Scope, Window
from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.oap.api.records import TraceApi
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.oap.api.responses import FLAG, RANKING
from skywalking_provider.oap.api.values import parse_mqe_number

MAX_RANKED: Final = 10
"""Endpoints of one ranking."""
_WHOLE_TRACES: Final = "wholeTraces"


class Order(StrEnum):
    """Order of a ranking, as the query protocol writes it."""

    LOWEST_FIRST = "ASC"
    HIGHEST_FIRST = "DES"


@dataclass(frozen=True, slots=True)
class RankedEndpoint:
    """An endpoint of a ranking.

    Attributes:
        name: Name of the endpoint.
        average: Average of the metric over the buckets that have it.
    """

    name: str
    average: float


def rankings_request(
    service: InventoryService,
    rankings: Sequence[tuple[str, Order]],
    window: Window,
    *,
    detect_whole_traces: bool = False,
) -> GraphqlRequest:
    """Build the optional request for the first endpoints of a service in some rankings.

    Args:
        service: Service of the endpoints.
        rankings: Metric and order of each ranking.
        window: Window of the averages.
        detect_whole_traces: Whether to read how the storage has traces, too.
    """
    variables: dict[str, object] = {"duration": duration_variable(window)} if rankings else {}
    declared = ["$duration: Duration!"] if rankings else []
    fields = [f"{_WHOLE_TRACES}: hasQueryTracesV2Support"] if detect_whole_traces else []
    for at, (metric, order) in enumerate(rankings):
        declared.append(f"$r{at}: TopNCondition!")
        variables[f"r{at}"] = {
            "name": metric,
            "parentService": service.name,
            "normal": service.normal,
            "scope": Scope.ENDPOINT.value,
            "topN": MAX_RANKED,
            "order": order.value,
        }
        fields.append(f"r{at}: sortMetrics(condition: $r{at}, duration: $duration) {{ name value }}")
    head = f"query rank({', '.join(declared)})" if declared else "query rank"
    query = f"{head} {{ {' '.join(fields)} }}"
    return GraphqlRequest(query, variables, window, optional=True)


def parse_ranking(data: Mapping[str, Any], at: int) -> tuple[RankedEndpoint, ...]:
    """Parse one ranking of the response, in its order. Endpoints without a number are left out.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    return tuple(_iterate_endpoints(data, f"r{at}"))


def parse_trace_api(data: Mapping[str, Any]) -> TraceApi:
    """Parse which query of traces the storage serves.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    if _WHOLE_TRACES not in data:
        return TraceApi.SEGMENTS
    return TraceApi.WHOLE if FLAG.parse(data, _WHOLE_TRACES) else TraceApi.SEGMENTS


def _iterate_endpoints(data: Mapping[str, Any], alias: str) -> Iterator[RankedEndpoint]:
    for record in RANKING.parse(data, alias):
        try:
            average = parse_mqe_number(record.value, alias)
        except ProviderError:
            continue
        if record.name and average is not None and average >= 0:
            yield RankedEndpoint(record.name, float(average))
