"""Query of an A/A run: the recorded minutes of pods of one version, as a pretended canary and stable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from skywalking_provider.block import JudgedSpec
from skywalking_provider.model import Deadline, Entity, EntitySet, Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries import CollectedSample, Diagnosis
from skywalking_provider.queries.base import QueryDescription
from skywalking_provider.queries.causes.target import CauseTarget
from skywalking_provider.queries.indicators.base import BucketValue, JudgedIndicator
from skywalking_provider.queries.indicators.registry import judged_indicator_for
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.backtest.entity_rows import read_entity_rows
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.injection import Injection
from skywalking_provider.tools.backtest.pod_split import PodSplit
from skywalking_provider.tools.backtest.recorded_oap import RecordedOap
from skywalking_provider.tools.backtest.version_reads import ServicePods

PodRows = Mapping[str, Mapping[datetime, BucketValue]]
"""Calls and value of each pod by minute, in UTC."""


@dataclass(frozen=True, slots=True)
class SplitQuery:
    """A judged block on a split, in one run.

    Attributes:
        spec: Block, whose limits and confidence apply.
        split: Pods of both sides.
        rows: Recorded minutes of the pods.
        injection: Fault of the pretended canary; None without one.
        minutes: Minutes of both sides that were summed before.
    """

    spec: JudgedSpec
    split: PodSplit
    rows: PodRows
    injection: Injection | None = None
    minutes: dict[datetime, tuple[SideMinute | None, SideMinute | None]] = field(default_factory=dict)

    @property
    def indicator(self) -> JudgedIndicator:
        """Indicator that the block names."""
        return judged_indicator_for(self.spec.sli, self.spec.percentile)

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:  # noqa: ARG002
        """See `Query.collect`. No request is sent."""
        start = window.start.astimezone(UTC)
        both = [self._sum(start + at * MINUTE) for at in range(window.buckets)]
        canary = {at: one for at, (one, _) in enumerate(both) if one}
        stable = {at: one for at, (_, one) in enumerate(both) if one}
        names = self._describe(self.split.canary), self._describe(self.split.stable)
        sides = Sides(self.spec, self.indicator.label, Side(canary, names[0]), Side(stable, names[1]))
        series = tuple(
            Series(name, tuple(one.calls for one in minutes.values()))
            for name, minutes in (("canary", canary), ("stable", stable))
        )
        calls = sum(one.calls for one in canary.values())
        sample = Sample(None, self.indicator.label, series, calls, len(sides.counted), sides=sides)
        return CollectedSample(sample, names[0])

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:  # noqa: ARG002
        """See `Query.diagnose`."""
        return Diagnosis()

    def services_by_name(self, backend: Backend) -> tuple[str, ...]:  # noqa: ARG002
        """See `Query.services_by_name`: all pods are of one version."""
        return ()

    def select_cause_target(self, backend: Backend) -> CauseTarget | None:  # noqa: ARG002
        """See `Query.select_cause_target`."""
        return None

    def describe(self, backend: Backend | None) -> QueryDescription:  # noqa: ARG002
        """See `Query.describe`."""
        return QueryDescription(window=self.spec.window_length)

    def _sum(self, minute: datetime) -> tuple[SideMinute | None, SideMinute | None]:
        if minute not in self.minutes:
            canary, stable = (self._summarize(pods, minute) for pods in (self.split.canary, self.split.stable))
            if self.injection and canary:
                key = f"{minute.isoformat()} {','.join(self.split.canary)}"
                canary = self.injection.change(canary, key, latency=self.spec.judges_latency)
            self.minutes[minute] = canary, stable
        return self.minutes[minute]

    def _summarize(self, pods: Sequence[str], minute: datetime) -> SideMinute | None:
        rows = [row for pod in pods if (row := self.rows[pod].get(minute))]
        return self.indicator.summarize_minute(rows) if rows else None

    def _describe(self, pods: Sequence[str]) -> str:
        return f"{format_count(len(pods), 'pod')} of {self.split.version.pod_template_hash}"


async def read_pod_rows(
    spec: JudgedSpec, pods: ServicePods, backend: Backend, recorded: RecordedOap, deadline: Deadline
) -> PodRows:
    """Read and decode the minutes of all pods of a service.

    Raises:
        BackendUnavailableError: The OAP is unavailable.
        ProviderError: The OAP lacks a metric of instances, or its response is not valid.
    """
    service = pods.service
    names = [pod for of_version in pods.calls.values() for pod in of_version]
    entities = EntitySet(tuple(Entity(service.service, service.normal, instance=pod) for pod in names), pods.layers)
    rows = await read_entity_rows(
        judged_indicator_for(spec.sli, spec.percentile), entities, backend, recorded, deadline
    )
    return {entity.name: minutes for entity, minutes in rows.items()}
