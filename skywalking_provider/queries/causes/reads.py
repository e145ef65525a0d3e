"""Reads of the endpoints behind a Failed verdict: one request chooses candidates, another one reads their minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from skywalking_provider.model import Deadline, Entity, EntitySet, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.endpoint_ranking import MAX_RANKED, Order, parse_ranking, rankings_request
from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.oap.api.metric_values import SeriesRequest, build_request
from skywalking_provider.oap.api.response_data import response_size
from skywalking_provider.queries.causes.endpoints import EndpointCause, Traffic, choose_candidates, rank_endpoints
from skywalking_provider.queries.causes.target import CauseTarget, Contribution
from skywalking_provider.queries.indicators.base import BucketValue, JudgedIndicator
from skywalking_provider.queries.indicators.reads import (
    IndicatorMetrics,
    build_indicator_requests,
    decode_entities,
    select_indicator_metrics,
)
from skywalking_provider.queries.indicators.registry import AverageLatency, SuccessRate

_INDICATORS: Final[Mapping[Contribution, JudgedIndicator]] = {
    Contribution.FAILURES: SuccessRate(),
    Contribution.TIME: AverageLatency(),
}
_WORST: Final[Mapping[Contribution, Order]] = {
    Contribution.FAILURES: Order.LOWEST_FIRST,
    Contribution.TIME: Order.HIGHEST_FIRST,
}


@dataclass(frozen=True, slots=True)
class _Group:
    """Entities of one scope of one service, with their metrics and the number of the first one in the aliases."""

    entities: EntitySet
    metrics: IndicatorMetrics
    first: int

    def build_requests(self) -> list[SeriesRequest]:
        return build_indicator_requests(self.metrics, self.entities, self.first)


async def read_endpoint_cause(
    target: CauseTarget, backend: Backend, window: Window, deadline: Deadline
) -> EndpointCause | None:
    """Return the endpoints that explain a Failed verdict; None if OAP has none.

    It sends two optional requests at most. What the backend has fetched before is not fetched again.

    Args:
        target: Services to compare.
        backend: Their backend.
        window: Window of the measurement.
        deadline: Deadline of both requests.

    Raises:
        BackendUnavailableError: The backend has no idle slots, or did not respond.
        ProviderError: OAP has no metrics of endpoints, or its response is invalid.
    """
    features = backend.connection.known_features
    if features is None:
        return None
    indicator = _INDICATORS[target.contribution]
    known = backend.connection.known_metrics
    metrics = _select_metrics(indicator, _endpoints(target.canary, ("",)), known)
    if metrics.value is None:
        return None
    rankings = [(metrics.value, _WORST[target.contribution]), (metrics.calls, Order.HIGHEST_FIRST)]
    data = await backend.read(rankings_request(target.canary, rankings, window), deadline)
    worst, busiest = (parse_ranking(data, at) for at in range(len(rankings)))
    groups = _build_groups(target, ("",), known)
    requests = [request for group in groups for request in group.build_requests()]
    sides = 1 if target.stable is None else 2
    room = backend.connection.batch_reader.capacity(requests, window, mqe=features.supports_mqe) // 2 // sides - 1
    names = choose_candidates(target.contribution, worst, busiest, min(MAX_RANKED, max(0, room)))
    if not names:
        return None
    groups = _build_groups(target, names, known)
    requests = [request for group in groups for request in group.build_requests()]
    request = replace(build_request(requests, window, mqe=features.supports_mqe), optional=True)
    data = await backend.read(request, deadline)
    size = response_size(data)
    return await backend.process(size, _decode, target, indicator, groups, window, data, mqe=features.supports_mqe)


def _build_groups(target: CauseTarget, names: Sequence[str], known: Mapping[str, str]) -> list[_Group]:
    """Return the service of each side, followed by its endpoints."""
    indicator, groups, first = _INDICATORS[target.contribution], list[_Group](), 0
    for service in (target.canary, target.stable):
        if service is None:
            continue
        whole = EntitySet((Entity(service.name, service.normal),), service.layers)
        for entities in (whole, _endpoints(service, names)):
            groups.append(_Group(entities, _select_metrics(indicator, entities, known), first))
            first += len(entities.members)
    return groups


def _endpoints(service: InventoryService, names: Sequence[str]) -> EntitySet:
    return EntitySet(tuple(Entity(service.name, service.normal, endpoint=one) for one in names), service.layers)


def _select_metrics(indicator: JudgedIndicator, entities: EntitySet, known: Mapping[str, str]) -> IndicatorMetrics:
    return select_indicator_metrics(indicator, entities, known, lambda *_: "")


def _decode(
    target: CauseTarget,
    indicator: JudgedIndicator,
    groups: Sequence[_Group],
    window: Window,
    data: Mapping[str, Any],
    *,
    mqe: bool,
) -> EndpointCause:
    decoded = [
        {
            entity: _sum_rows(indicator, rows, target.contribution)
            for entity, rows in decode_entities(
                indicator, one.metrics, one.entities, window, data, mqe=mqe, first=one.first
            ).items()
        }
        for one in groups
    ]
    totals = [next(iter(whole.values())) for whole in decoded[::2]]
    endpoints = [{entity.name: traffic for entity, traffic in one.items()} for one in decoded[1::2]]
    return rank_endpoints(
        target.contribution,
        endpoints[0],
        totals[0],
        *((endpoints[1], totals[1]) if len(totals) > 1 else ()),
        service_wide=target.service_wide,
    )


def _sum_rows(indicator: JudgedIndicator, rows: Sequence[BucketValue], contribution: Contribution) -> Traffic:
    if not rows:
        return Traffic()
    minute = indicator.summarize_minute(rows)
    return Traffic(minute.calls, minute.high if contribution is Contribution.FAILURES else minute.high * minute.calls)
