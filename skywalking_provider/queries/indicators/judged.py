"""The query type `sli` with `compare` or `objective`: the minutes of canary and stable since the run's start."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.errors import EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Deadline, EntitySet, Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries.base import CollectedSample, Diagnosis, QueryDescription
from skywalking_provider.queries.causes.selection import select_target
from skywalking_provider.queries.causes.target import CauseTarget
from skywalking_provider.queries.entities import ListInstances, resolve_entities, services_by_name
from skywalking_provider.queries.indicators.base import JudgedIndicator
from skywalking_provider.queries.indicators.judged_parts import (
    PartReads,
    SideReads,
    decode_sides,
    split_into_hours,
)
from skywalking_provider.queries.indicators.reads import (
    IndicatorMetrics,
    describe_indicator,
    select_indicator_metrics,
)
from skywalking_provider.queries.indicators.registry import judged_indicator_for
from skywalking_provider.queries.instance_reads import SeriesPlan, read_planned_series
from skywalking_provider.queries.sample import Sample

_MAX_NAMED: Final = 3
_SAME_INSTANCES: Final = (
    'Set compare.instances to {podTemplateHash: "{{args.stable-hash}}"} with podTemplateHashValue: Stable'
)
_SAME_SELECTION: Final = (
    "Set compare.service or compare.endpoint to that of stable, or select instances in the block and in compare"
)


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
        *past, newest = split_into_hours(window, single_buckets=mqe)
        parts = await asyncio.gather(
            *(self.read_part(one, backend, deadline, mqe=mqe, newest=False) for one in past),
            self.read_part(newest, backend, deadline, mqe=mqe, newest=True),
        )
        check_found(parts)
        size = sum(part.batch.size for part in parts)
        sample = await backend.process(size, decode_sides, self.spec, self.indicator, parts, window, mqe=mqe)
        sent = tuple(request for part in parts for request in part.batch.requests)
        canary = next(one for part in reversed(parts) if (one := part.sides[0].entities).members)
        return CollectedSample(sample, sample.sides.canary.subject if sample.sides else "", sent, canary)

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:  # noqa: ARG002
        """See `Query.diagnose`. The entities and the metrics exist, so missing calls are the only cause."""
        return Diagnosis()

    def services_by_name(self, backend: Backend) -> tuple[str, ...]:
        """See `Query.services_by_name`."""
        return services_by_name(self.spec, backend)

    def select_cause_target(self, backend: Backend) -> CauseTarget | None:
        """See `Query.select_cause_target`."""
        return select_target(self.spec.sli, self.spec, self.spec.stable, backend, averages=self.spec.percentile is None)

    def describe(self, backend: Backend | None) -> QueryDescription:
        """See `Query.describe`."""
        description = describe_indicator(self.spec, self.indicator, backend)
        return replace(description, judged_against=self.spec.describe_standard())

    async def read_part(
        self, window: Window, backend: Backend, deadline: Deadline, *, mqe: bool, newest: bool
    ) -> PartReads:
        """Read a part of a window. The newest part may read the lists of instances together with the series."""
        sides, batch = await read_planned_series(
            partial(self._plan_series, backend, deadline), backend, window, deadline, mqe=mqe, with_lists=newest
        )
        return PartReads(window, sides, batch)

    async def _plan_series(
        self, backend: Backend, deadline: Deadline, list_instances: ListInstances
    ) -> SeriesPlan[tuple[SideReads, ...]]:
        sides = [await self._resolve_side(self.spec, backend, list_instances, deadline)]
        if (selected := self.spec.stable) is not None:
            stable = await self._resolve_side(selected, backend, list_instances, deadline, "compare.")
            check_distinct(self.spec, sides[0].entities, stable.entities)
            sides.append(replace(stable, first=len(sides[0].entities.members)))
        return SeriesPlan(tuple(sides), [request for side in sides for request in side.build_requests()])

    async def _resolve_side(
        self, spec: EntityKeys, backend: Backend, list_instances: ListInstances, deadline: Deadline, path: str = ""
    ) -> SideReads:
        try:
            entities = await resolve_entities(spec, backend, list_instances, deadline)
        except EntityNotFoundError as error:
            return SideReads(EntitySet(()), missing=EntityNotFoundError(f"{path}{error.message}", error.hint))
        return SideReads(entities, await self._select_metrics(backend, entities, deadline))

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


def check_found(parts: Sequence[PartReads]) -> None:
    """Check that each side has entities in one part at least.

    Raises:
        EntityNotFoundError: That of the newest part.
    """
    for sides in zip(*(part.sides for part in parts), strict=True):
        if all(side.missing for side in sides) and (error := sides[-1].missing):
            raise error


def check_distinct(spec: JudgedSpec, canary: EntitySet, stable: EntitySet) -> None:
    """Check that no calls belong to both sides.

    Raises:
        ProviderError: COMPARES_ITSELF.
    """
    if not canary.members or not stable.members:
        return
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
