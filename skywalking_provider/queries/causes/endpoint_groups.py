"""Endpoints of a service as groups of one request: their series, and the shares decoded from the response. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from skywalking_provider.model import Entity, EntitySet, Window
from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.queries.causes.endpoints import EndpointCause, Traffic, rank_endpoints
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


@dataclass(frozen=True, slots=True)
class EndpointGroup:
    """Entities of one scope of one service, with their metrics and the number of the first one in the aliases."""

    entities: EntitySet
    metrics: IndicatorMetrics
    first: int

    def build_requests(self) -> list[SeriesRequest]:
        """Build the requests for the calls and values of every entity."""
        return build_indicator_requests(self.metrics, self.entities, self.first)


def build_groups(target: CauseTarget, names: Sequence[str], known: Mapping[str, str]) -> list[EndpointGroup]:
    """Return the service of each side, followed by its endpoints."""
    indicator, groups, first = _INDICATORS[target.contribution], list[EndpointGroup](), 0
    for service in (target.canary, target.stable):
        if service is None:
            continue
        whole = EntitySet((Entity(service.name, service.normal),), service.layers)
        for entities in (whole, _endpoints(service, names)):
            groups.append(EndpointGroup(entities, _select_metrics(indicator, entities, known), first))
            first += len(entities.members)
    return groups


def select_metrics(target: CauseTarget, known: Mapping[str, str]) -> IndicatorMetrics:
    """Return the metrics of endpoints that the target is ranked by.

    Raises:
        ProviderError: METRIC_UNAVAILABLE.
    """
    return _select_metrics(_INDICATORS[target.contribution], _endpoints(target.canary, ("",)), known)


def _endpoints(service: InventoryService, names: Sequence[str]) -> EntitySet:
    return EntitySet(tuple(Entity(service.name, service.normal, endpoint=one) for one in names), service.layers)


def _select_metrics(indicator: JudgedIndicator, entities: EntitySet, known: Mapping[str, str]) -> IndicatorMetrics:
    return select_indicator_metrics(indicator, entities, known, lambda *_: "")


def decode_groups(
    target: CauseTarget,
    groups: Sequence[EndpointGroup],
    window: Window,
    data: Mapping[str, Any],
    *,
    mqe: bool,
) -> EndpointCause:
    """Rank the endpoints of `build_groups` from the response to all their requests.

    Raises:
        ProviderError: OAP rejects a metric, or the response is invalid.
    """
    indicator = _INDICATORS[target.contribution]
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
        own_amount=target.own_amount,
    )


def _sum_rows(indicator: JudgedIndicator, rows: Sequence[BucketValue], contribution: Contribution) -> Traffic:
    if not rows:
        return Traffic()
    minute = indicator.summarize_minute(rows)
    return Traffic(minute.calls, minute.high if contribution is Contribution.FAILURES else minute.high * minute.calls)
