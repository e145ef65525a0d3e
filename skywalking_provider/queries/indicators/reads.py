"""Reads of an indicator: the calls and the values of its entities by bucket."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skywalking_provider.block import IndicatorSpec, JudgedSpec
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, EntitySet, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.metric_values import Role, SeriesRequest, SeriesResponse, decode_calls, decode_series
from skywalking_provider.oap.api.response_parser import raise_invalid_response
from skywalking_provider.oap.api.values import Number
from skywalking_provider.queries.base import QueryDescription
from skywalking_provider.queries.entities import describe_selection
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.metric_names import (
    MetricMeaning,
    available_metric,
    resolve_scope_metrics,
)
from skywalking_provider.support.suggester import Suggest
from skywalking_provider.support.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class IndicatorMetrics:
    """Names of the metrics that an indicator reads.

    Attributes:
        value: Metric of the indicator; None if it reads the calls alone.
        calls: Metric that counts the calls.
        labeled: Whether the metric of the indicator has a series for each percentile.
    """

    value: str | None
    calls: str
    labeled: bool = False


def select_indicator_metrics(
    indicator: Indicator, entities: EntitySet, known: Collection[str], suggest: Suggest = did_you_mean
) -> IndicatorMetrics:
    """Select the metrics by the scope and layer of the entities and the metrics of the OAP.

    Raises:
        ProviderError: METRIC_UNAVAILABLE, with the OAL line that adds the metric.
    """
    names = resolve_scope_metrics(entities, known)
    calls = available_metric(MetricMeaning.CALLS, names.calls, known, entities, suggest)
    if not indicator.needs_values:
        return IndicatorMetrics(None, calls)
    value = available_metric(indicator.meaning, indicator.metrics(names), known, entities, suggest)
    return IndicatorMetrics(value, calls, labeled=indicator.percentile is not None)


def build_indicator_requests(metrics: IndicatorMetrics, entities: EntitySet, first: int = 0) -> list[SeriesRequest]:
    """Build the requests for the calls and values of every entity.

    Args:
        metrics: Metrics of the indicator.
        entities: Entities to read.
        first: Number of the first entity in the aliases, which are those of one request.
    """
    members = list(enumerate(entities.members, first))
    requests = [_calls_request(metrics, at, entity) for at, entity in members]
    if metrics.value is not None:
        requests += [_values_request(metrics.value, metrics, at, entity) for at, entity in members]
    return requests


def describe_indicator(
    spec: IndicatorSpec | JudgedSpec, indicator: Indicator, backend: Backend | None
) -> QueryDescription:
    """Return the facts that follow from the block alone. The metrics are those of an OAP with the usual names."""
    selection = describe_selection(spec, backend)
    entity = Entity(selection.service, instance=selection.instances or None, endpoint=spec.endpoint)
    names = resolve_scope_metrics(EntitySet((entity,), (spec.layer,) if spec.layer else ()))
    metrics = dict.fromkeys((*indicator.metrics(names)[:1], names.calls[0]))
    return replace(selection, indicator=spec.sli.value, metrics=tuple(metrics))


def decode_entities(
    indicator: Indicator,
    metrics: IndicatorMetrics,
    entities: EntitySet,
    window: Window,
    data: Mapping[str, Any],
    *,
    mqe: bool,
    first: int = 0,
) -> dict[Entity, list[BucketValue]]:
    """Return the buckets of each entity that have both calls and a value.

    Args:
        indicator: Indicator of the block.
        metrics: Metrics that were requested.
        entities: Entities that were requested.
        window: Window of the request.
        data: Combined data of the responses to `build_indicator_requests`.
        mqe: Whether the requests were expressions. Otherwise zeros in minutes without calls are not values.
        first: Number of the first entity in the aliases.

    Raises:
        ProviderError: OAP rejects a metric, or a value is out of range.
    """
    return {
        entity: _decode_bucket_values(indicator, metrics, at, entity, window, data, mqe=mqe)
        for at, entity in enumerate(entities.members, first)
    }


def _calls_request(metrics: IndicatorMetrics, at: int, entity: Entity) -> SeriesRequest:
    return SeriesRequest(f"c{at}", metrics.calls, entity, role=Role.CALLS)


def _values_request(metric: str, metrics: IndicatorMetrics, at: int, entity: Entity) -> SeriesRequest:
    return SeriesRequest(f"v{at}", metric, entity, labeled=metrics.labeled)


def _decode_bucket_values(
    indicator: Indicator,
    metrics: IndicatorMetrics,
    at: int,
    entity: Entity,
    window: Window,
    data: Mapping[str, Any],
    *,
    mqe: bool,
) -> list[BucketValue]:
    calls_request = _calls_request(metrics, at, entity)
    calls = decode_calls(data, calls_request, window, mqe=mqe)
    if len(calls) not in (0, window.buckets):
        raise_invalid_response(calls_request.alias, f"{len(calls)} buckets of {window.buckets}")
    values: Sequence[Number | None] = calls
    if metrics.value is not None:
        request = _values_request(metrics.value, metrics, at, entity)
        values = _select_series(decode_series(data, request, window, mqe=mqe), request, indicator.percentile)
    _check_values(indicator, metrics, values, len(calls))
    return [
        BucketValue(bucket, count, float(value))
        for bucket, (count, value) in enumerate(zip(calls, values, strict=False))
        if count and value is not None
    ]


def _check_values(indicator: Indicator, metrics: IndicatorMetrics, values: Sequence[Number | None], count: int) -> None:
    """Check that values are within the range that SkyWalking writes, and as many as the calls."""
    name = metrics.value or metrics.calls
    hint = "check that the backend is a SkyWalking OAP"
    if len(values) not in (0, count):
        message = f"{name}: {len(values)} buckets, but {metrics.calls} has {count}"
        raise ProviderError(Reason.OAP_RESPONSE_INVALID, message, hint)
    if not all(0 <= one <= indicator.max_value for one in values if one is not None):
        message = f"{name}: values out of range (0 to {indicator.max_value} expected)"
        raise ProviderError(Reason.OAP_RESPONSE_INVALID, message, hint)


def _select_series(
    response: SeriesResponse, series_request: SeriesRequest, percentile: int | None
) -> Sequence[Number | None]:
    """Return the buckets of the only series, or of the series with a percentile's label."""
    matching = [one for one in response.series if percentile is None or one.labels.get("p") == str(percentile)]
    if len(matching) > 1:
        raise_invalid_response(series_request.alias, f"{len(matching)} series of {series_request.expression}")
    return matching[0].buckets if matching else ()
