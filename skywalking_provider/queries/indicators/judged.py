"""The query type `sli` with `compare` or `objective`: the minutes of canary and stable since the run's start."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from itertools import pairwise
from typing import Any, Final

from skywalking_provider.block.common import MAX_BUCKETS
from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.errors import EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.queries.base import CollectedSample, Diagnosis, QueryDescription
from skywalking_provider.queries.entities import (
    describe_selection,
    describe_subject,
    resolve_entities,
    services_by_name,
)
from skywalking_provider.queries.indicators.base import BucketValue, JudgedIndicator
from skywalking_provider.queries.indicators.metric_names import resolve_scope_metrics
from skywalking_provider.queries.indicators.reads import (
    IndicatorMetrics,
    build_indicator_requests,
    decode_entities,
    select_indicator_metrics,
)
from skywalking_provider.queries.indicators.registry import judged_indicator_for
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from skywalking_provider.queries.sides import Side, SideMinute, Sides

_BLOCK: Final = timedelta(hours=1)
_MAX_NAMED: Final = 3
_SAME_INSTANCES: Final = (
    'Set compare.instances to {podTemplateHash: "{{args.stable-hash}}"} with podTemplateHashValue: Stable'
)
_SAME_SELECTION: Final = (
    "Set compare.service or compare.endpoint to that of stable, or select instances in the block and in compare"
)


@dataclass(frozen=True, slots=True)
class SideReads:
    """What is read of one side.

    Attributes:
        entities: Entities of the side.
        metrics: Metrics at their scope.
        first: Number of the first entity in the aliases of the request.
    """

    entities: EntitySet
    metrics: IndicatorMetrics
    first: int = 0

    def build_requests(self) -> list[SeriesRequest]:
        """Build the requests for the calls and values of every entity."""
        return build_indicator_requests(self.metrics, self.entities, self.first)


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """An indicator of the canary by minute, beside stable or an objective."""

    spec: JudgedSpec

    def __post_init__(self) -> None:
        """Reject a block that selects the same canary and stable, which no data can change."""
        if self.spec.compares_itself:
            raise compares_itself_error(self.spec)

    @property
    def indicator(self) -> JudgedIndicator:
        """Indicator that the block names."""
        return judged_indicator_for(self.spec.sli, self.spec.percentile)

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
        """See `Query.collect`. The result is that of the judgement, which is not part of the query."""
        mqe = (await backend.connection.features(deadline)).supports_mqe
        blocks = split_into_hours(window)
        aligned = Window(blocks[0].start, window.end, window.step)
        listed = aligned if aligned.buckets <= MAX_BUCKETS else window
        sides = await self._resolve_sides(backend, listed, deadline)
        requests = [request for side in sides for request in side.build_requests()]
        batches = await asyncio.gather(*(backend.series(requests, block, deadline, mqe=mqe) for block in blocks))
        responses = [(block, batch.data) for block, batch in zip(blocks, batches, strict=True)]
        size = sum(batch.size for batch in batches)
        sample = await backend.process(size, decode_sides, self.spec, self.indicator, sides, window, responses, mqe=mqe)
        sent = tuple(request for batch in batches for request in batch.requests)
        return CollectedSample(sample, describe_subject(sides[0].entities), sent)

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:  # noqa: ARG002
        """See `Query.diagnose`. The entities and the metrics exist, so missing calls are the only cause."""
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
        return replace(
            selection,
            indicator=self.spec.sli.value,
            metrics=tuple(metrics),
            judged_against=self.spec.describe_standard(),
        )

    async def _resolve_sides(self, backend: Backend, window: Window, deadline: Deadline) -> tuple[SideReads, ...]:
        canary = await resolve_entities(self.spec, backend, window, deadline)
        sides = [SideReads(canary, await self._select_metrics(backend, canary, deadline))]
        if self.spec.stable is not None:
            try:
                stable = await resolve_entities(self.spec.stable, backend, window, deadline)
            except EntityNotFoundError as error:
                raise EntityNotFoundError(f"compare.{error.message}", error.hint) from error
            check_distinct(self.spec, canary, stable)
            metrics = await self._select_metrics(backend, stable, deadline)
            sides.append(SideReads(stable, metrics, first=len(canary.members)))
        return tuple(sides)

    async def _select_metrics(self, backend: Backend, entities: EntitySet, deadline: Deadline) -> IndicatorMetrics:
        known = await backend.connection.metrics(deadline)
        metrics = select_indicator_metrics(self.indicator, entities, known, backend.connection.suggest)
        if metrics.labeled and len(entities.members) > 1:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"percentiles of {len(entities.members)} instances cannot be merged",
                "Remove percentile to judge the average latency, or select one instance, a service or an endpoint",
            )
        return metrics


def split_into_hours(window: Window) -> list[Window]:
    """Split a window at whole hours, so that runs that started at different times share their requests.

    The first part starts at the whole hour before the window, unless the clock was changed in between. The last part
    has at least two buckets if the window has: OAP before 9.5 rejects a single one.
    """
    zone, end = window.end.tzinfo, window.end.astimezone(UTC)
    start = window.start.astimezone(UTC).replace(minute=0)
    if start.astimezone(zone).utcoffset() != window.start.utcoffset():
        start = window.start.astimezone(UTC)
    borders = [start]
    while borders[-1] + _BLOCK < end - window.step:
        borders.append((borders[-1] + _BLOCK).replace(minute=0))
    return [
        Window(first.astimezone(zone), last.astimezone(zone), window.step) for first, last in pairwise([*borders, end])
    ]


def check_distinct(spec: JudgedSpec, canary: EntitySet, stable: EntitySet) -> None:
    """Check that no calls belong to both sides.

    Raises:
        ProviderError: COMPARES_ITSELF.
    """
    services = {(entity.service, entity.normal) for entity in (*canary.members, *stable.members)}
    if len(services) == 1 and canary.scope is not stable.scope:
        raise compares_itself_error(spec)
    common = [entity for entity in canary.members if entity in stable.members]
    if not common:
        return
    if len(common) == len(canary.members):
        raise compares_itself_error(spec)
    names = ", ".join(entity.name for entity in common[:_MAX_NAMED])
    raise ProviderError(
        Reason.COMPARES_ITSELF,
        f"compare selects instances of the canary, too: {names}",
        "Select other instances in compare.instances",
    )


def compares_itself_error(spec: JudgedSpec) -> ProviderError:
    """Return the error of a block that compares the canary with itself, or with what has its calls."""
    if spec.stable is not None and spec.stable.scope is not spec.scope:
        problem = (
            f"the block selects {_describe_part(spec)} and compare {_describe_part(spec.stable)},"
            " which have calls in common"
        )
    elif spec.instances is None:
        problem = f"compare selects the same {spec.scope.value.lower()} as the block"
    else:
        problem = f"compare selects the same instances as the canary ({spec.instances.display})"
    return ProviderError(
        Reason.COMPARES_ITSELF, problem, _SAME_SELECTION if spec.instances is None else _SAME_INSTANCES
    )


def _describe_part(keys: EntityKeys) -> str:
    """Return the part of a service that is selected."""
    if keys.instances is not None:
        return f"the instances {keys.instances.display}"
    return "the whole service" if keys.endpoint is None else f"the endpoint {keys.endpoint}"


def decode_sides(
    spec: JudgedSpec,
    indicator: JudgedIndicator,
    sides: Sequence[SideReads],
    window: Window,
    responses: Sequence[tuple[Window, Mapping[str, Any]]],
    *,
    mqe: bool,
) -> Sample:
    """Collect the minutes of both sides.

    Args:
        spec: Spec of the block.
        indicator: Indicator of the block.
        sides: What was read: the canary, and stable unless there is an objective.
        window: Window of the measurement. Minutes before it are ignored.
        responses: Parts of the window in order, each with the combined data of its responses.
        mqe: Whether the requests were expressions.

    Raises:
        ProviderError: OAP rejects a metric, or a value is out of range.
    """
    decoded = [_decode_side(indicator, side, window, responses, mqe=mqe) for side in sides]
    names = ("canary", "stable")[: len(sides)] if len(sides) > 1 else ("",)
    series = tuple(
        Series(_name(side.metrics.value or side.metrics.calls, name), tuple(one.calls for one in minutes.values()))
        for side, minutes, name in zip(sides, decoded, names, strict=True)
    )
    collected = [Side(minutes, describe_subject(side.entities)) for side, minutes in zip(sides, decoded, strict=True)]
    both = Sides(spec, indicator.label, *collected)
    chart_series = tuple(
        one
        for minutes, name in zip(decoded, names, strict=True)
        for one in _build_chart_series(indicator, minutes, name, window)
    )
    return Sample(
        None,
        indicator.label,
        series,
        sum(one.calls for one in decoded[0].values()),
        buckets_with_data=len(both.counted),
        chart_series=chart_series,
        sides=both,
    )


def _decode_side(
    indicator: JudgedIndicator,
    side: SideReads,
    window: Window,
    responses: Sequence[tuple[Window, Mapping[str, Any]]],
    *,
    mqe: bool,
) -> dict[int, SideMinute]:
    """Return the minutes of one side by position in the window."""
    rows_by_minute: dict[int, list[BucketValue]] = {}
    for part, data in responses:
        offset = (part.start.astimezone(UTC) - window.start.astimezone(UTC)) // window.step
        rows_by_entity = decode_entities(indicator, side.metrics, side.entities, part, data, mqe=mqe, first=side.first)
        for rows in rows_by_entity.values():
            for row in rows:
                rows_by_minute.setdefault(offset + row.bucket, []).append(row)
    return {
        minute: indicator.summarize_minute(rows)
        for minute, rows in sorted(rows_by_minute.items())
        if 0 <= minute < window.buckets
    }


def _build_chart_series(
    indicator: JudgedIndicator, minutes: Mapping[int, SideMinute], name: str, window: Window
) -> Iterator[Series]:
    """Yield the indicator and the calls of one side by minute."""
    positions = range(window.buckets)
    values = {at: indicator.chart_value(one) for at, one in minutes.items()}
    yield Series(_name(indicator.label, name), tuple(values.get(at) for at in positions))
    calls = tuple(minutes[at].calls if at in minutes else None for at in positions)
    yield Series(_name("calls", name), calls, counts_calls=True)


def _name(text: str, side: str) -> str:
    return f"{text} of {side}" if side else text
