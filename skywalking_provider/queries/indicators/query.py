"""The query type `sli`. `result` is one number over the whole window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC

from skywalking_provider.block import EntitySpec, IndicatorSpec
from skywalking_provider.model import Deadline, Entity, EntitySet, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries.base import CollectedSample, Diagnosis, QueryDescription
from skywalking_provider.queries.causes.selection import select_target
from skywalking_provider.queries.causes.target import CauseTarget
from skywalking_provider.queries.entities import ListInstances, describe_subject, resolve_entities, services_by_name
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.reads import (
    IndicatorMetrics,
    build_indicator_requests,
    decode_entities,
    describe_indicator,
    select_indicator_metrics,
)
from skywalking_provider.queries.indicators.registry import indicator_for
from skywalking_provider.queries.instance_reads import DayRead, SeriesPlan, read_planned_days
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series


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
        sample, entities, requests = await read_indicator(self.spec, self.indicator, backend, window, deadline)
        return CollectedSample(sample, describe_subject(entities), requests, entities)

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:  # noqa: ARG002
        """See `Query.diagnose`. The entity and the metrics exist, so missing calls are the only cause."""
        return Diagnosis()

    def services_by_name(self, backend: Backend) -> tuple[str, ...]:
        """See `Query.services_by_name`."""
        return services_by_name(self.spec, backend)

    def select_cause_target(self, backend: Backend) -> CauseTarget | None:
        """See `Query.select_cause_target`."""
        return select_target(self.spec.sli, self.spec, None, backend, averages=self.spec.percentile is None)

    def describe(self, backend: Backend | None) -> QueryDescription:
        """See `Query.describe`."""
        return describe_indicator(self.spec, self.indicator, backend)


async def read_indicator(
    spec: EntitySpec, indicator: Indicator, backend: Backend, window: Window, deadline: Deadline
) -> tuple[Sample, EntitySet, tuple[GraphqlRequest, ...]]:
    """Read an indicator of a block's entities. Return its sample, the entities and the requests that were sent.

    Raises:
        BackendUnavailableError: No usable response arrived before the deadline.
        EntityNotFoundError: OAP does not list the entity yet.
        ProviderError: The block or the response is invalid.
    """

    async def plan_series(list_instances: ListInstances) -> SeriesPlan[tuple[IndicatorMetrics, EntitySet]]:
        entities = await resolve_entities(spec, backend, list_instances, deadline)
        metrics = select_indicator_metrics(
            indicator, entities, await backend.connection.metrics(deadline), backend.connection.suggest
        )
        return SeriesPlan((metrics, entities), build_indicator_requests(metrics, entities))

    mqe = (await backend.connection.features(deadline)).supports_mqe
    (metrics, entities), days = await read_planned_days(plan_series, backend, window, deadline, mqe=mqe)
    size = sum(day.batch.size for day in days)
    sample = await backend.process(size, decode_indicator, indicator, metrics, entities, window, days, mqe=mqe)
    return sample, entities, tuple(request for day in days for request in day.batch.requests)


def decode_indicator(
    indicator: Indicator,
    metrics: IndicatorMetrics,
    entities: EntitySet,
    window: Window,
    days: Sequence[DayRead],
    *,
    mqe: bool,
) -> Sample:
    """Compute the indicator of a window.

    Args:
        indicator: Indicator of the block.
        metrics: Metrics that were requested.
        entities: Entities that were requested.
        window: Window of the measurement.
        days: Responses to `build_indicator_requests` by day.
        mqe: Whether the requests were expressions. Otherwise zeros in minutes without calls are not values.

    Raises:
        ProviderError: OAP rejects a metric, or a value is out of range.
    """
    rows_by_entity = dict[Entity, list[BucketValue]]()
    for day in days:
        first = (day.window.start.astimezone(UTC) - window.start.astimezone(UTC)) // window.step
        for entity, day_rows in decode_entities(
            indicator, metrics, entities, day.window, day.batch.data, mqe=mqe
        ).items():
            shifted = (replace(row, bucket=first + row.bucket) for row in day_rows) if first else day_rows
            rows_by_entity.setdefault(entity, []).extend(shifted)
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
