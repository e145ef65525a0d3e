"""The query type `sli`. `result` is one number over the whole window."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skywalking_provider.block import IndicatorSpec
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.metric_values import Role, SeriesRequest, SeriesResponse, decode_calls, decode_series
from skywalking_provider.oap.api.responses import raise_invalid_response
from skywalking_provider.oap.api.values import Number
from skywalking_provider.queries.base import CollectedSample, Diagnosis, QueryDescription
from skywalking_provider.queries.entities import (
    describe_selection,
    describe_subject,
    resolve_entities,
    services_by_name,
)
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.metric_names import (
    MetricMeaning,
    available_metric,
    resolve_scope_metrics,
)
from skywalking_provider.queries.indicators.registry import indicator_for
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from skywalking_provider.support.suggester import Suggest
from skywalking_provider.support.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class IndicatorQuery:
    """An indicator of the selected entities."""

    spec: IndicatorSpec

    @property
    def indicator(self) -> Indicator:
        """Indicator that the block names."""
        return indicator_for(self.spec.sli, self.spec.percentile, self.spec.aggregate)

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
        """See `Query.collect`."""
        indicator = self.indicator
        mqe = (await backend.connection.features(deadline)).supports_mqe
        entities = await resolve_entities(self.spec, backend, window, deadline)
        metrics = select_indicator_metrics(
            indicator, entities, await backend.connection.metrics(deadline), backend.connection.suggest
        )
        requests = build_indicator_requests(metrics, entities)
        batch = await backend.series(requests, window, deadline, mqe=mqe)
        sample = await backend.process(
            batch.size, decode_indicator, indicator, metrics, entities, window, batch.data, mqe=mqe
        )
        return CollectedSample(sample, describe_subject(entities), batch.requests)

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:  # noqa: ARG002
        """See `Query.diagnose`. The entity and the metrics exist, so missing calls are the only cause."""
        return Diagnosis()

    def services_by_name(self, backend: Backend) -> tuple[str, ...]:
        """See `Query.services_by_name`."""
        return services_by_name(self.spec, backend)

    def describe(self, backend: Backend | None) -> QueryDescription:
        """See `Query.describe`. The metrics are those of an OAP with the usual names."""
        selection = describe_selection(self.spec, backend)
        entity = Entity(selection.service, instance=selection.instances or None, endpoint=self.spec.endpoint)
        names = resolve_scope_metrics(EntitySet((entity,), (self.spec.layer,) if self.spec.layer else ()))
        metrics = dict.fromkeys((*self.indicator.metrics(names)[:1], names.calls[0]))
        return replace(selection, indicator=self.spec.sli.value, metrics=tuple(metrics))


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


def build_indicator_requests(metrics: IndicatorMetrics, entities: EntitySet) -> list[SeriesRequest]:
    """Build the requests for the calls and values of every entity."""
    requests = [_calls_request(metrics, at, entity) for at, entity in enumerate(entities.members)]
    if metrics.value is not None:
        requests += [_values_request(metrics.value, metrics, at, entity) for at, entity in enumerate(entities.members)]
    return requests


def decode_indicator(
    indicator: Indicator,
    metrics: IndicatorMetrics,
    entities: EntitySet,
    window: Window,
    data: Mapping[str, Any],
    *,
    mqe: bool,
) -> Sample:
    """Compute the indicator of a window.

    Args:
        indicator: Indicator of the block.
        metrics: Metrics that were requested.
        entities: Entities that were requested.
        window: Window of the request.
        data: Combined data of the responses to `build_indicator_requests`.
        mqe: Whether the requests were expressions. Otherwise zeros in minutes without calls are not values.

    Raises:
        ProviderError: OAP rejects a metric, or a value is out of range.
    """
    rows_by_entity = {
        entity: _decode_bucket_values(indicator, metrics, at, entity, window, data, mqe=mqe)
        for at, entity in enumerate(entities.members)
    }
    rows = [row for entity_rows in rows_by_entity.values() for row in entity_rows]
    calls = sum(row.calls for row in rows)
    series = (Series(metrics.value or metrics.calls, tuple(row.calls for row in rows)),)
    chart_series = tuple(
        one
        for entity, entity_rows in rows_by_entity.items()
        for one in _build_chart_series(indicator, entity, entity_rows, window)
    )
    if not rows:
        return Sample(None, indicator.name.value, series, 0, chart_series=chart_series)
    result = indicator.compute(rows, window)
    return Sample(
        result,
        f"{indicator.label} {indicator.format_result(rows, result)}",
        series,
        calls,
        buckets_with_data=len({row.bucket for row in rows}),
        chart_series=chart_series,
    )


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
    """Return the buckets of one entity that have both calls and a value."""
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


def _build_chart_series(
    indicator: Indicator, entity: Entity, rows: Sequence[BucketValue], window: Window
) -> Iterator[Series]:
    """Yield the indicator and the calls of one entity by bucket, in the unit of the result."""
    if indicator.needs_values:
        values = {row.bucket: row.value / indicator.scale for row in rows}
        yield Series(indicator.label, tuple(values.get(at) for at in range(window.buckets)), entity=entity)
    calls = {row.bucket: row.calls for row in rows}
    buckets = tuple(calls.get(at) for at in range(window.buckets))
    yield Series("calls", buckets, counts_calls=True, entity=entity)


def _select_series(
    response: SeriesResponse, series_request: SeriesRequest, percentile: int | None
) -> Sequence[Number | None]:
    """Return the buckets of the only series, or of the series with a percentile's label."""
    matching = [one for one in response.series if percentile is None or one.labels.get("p") == str(percentile)]
    if len(matching) > 1:
        raise_invalid_response(series_request.alias, f"{len(matching)} series of {series_request.expression}")
    return matching[0].buckets if matching else ()
