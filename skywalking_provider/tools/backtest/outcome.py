"""Outcomes of replayed runs, and how often they abort a rollout. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import sqrt
from statistics import NormalDist
from typing import Final

from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase

INTERVAL_CONFIDENCE: Final = 0.95
_MISSING_DATA: Final = frozenset({Reason.NO_DATA, Reason.ENTITY_NOT_FOUND, Reason.TOO_FEW_CALLS})


class EndReason(StrEnum):
    """Reasons of an outcome that no measurement has."""

    WAITING = "WAITING_AT_END"
    """A measurement still waited when the run ended. Argo terminates it, and it is Inconclusive."""


@dataclass(frozen=True, slots=True)
class Look:
    """One completed measurement.

    Attributes:
        at: Time of the verdict.
        phase: Phase of the measurement.
        reason: Reason code; None for a plain success.
        message: Message that Argo would store.
        value: Number that was measured; None without one.
        window: Minutes that were read, as their first one and the end of the last one; None if none were.
        decided: Whether a judgement was made or conditions were evaluated.
    """

    at: datetime
    phase: Phase
    reason: Reason | None = None
    message: str = ""
    value: float | None = None
    window: tuple[datetime, datetime] | None = None
    decided: bool = False


@dataclass(frozen=True, slots=True)
class MetricOutcome:
    """Result of one metric in one run.

    Attributes:
        metric: Name of the metric.
        phase: Phase of the metric at its end.
        ended_at: End of the metric.
        reason: Reason code of the measurement that decided, or why no measurement did; None for a plain success.
        message: Its message.
        looks: Completed measurements in order.
        later_looks: Measurements that would have followed its end, which Argo does not make; for pictures only.
    """

    metric: str
    phase: Phase
    ended_at: datetime
    reason: Reason | EndReason | None = None
    message: str = ""
    looks: tuple[Look, ...] = ()
    later_looks: tuple[Look, ...] = ()

    @property
    def has_data(self) -> bool:
        """Whether any measurement had data. A run in a gap says nothing about the template."""
        if self.reason is not None and self.reason in _MISSING_DATA:
            return any(look.decided for look in self.looks)
        return bool(self.looks) or self.reason is not EndReason.WAITING


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """Result of one run.

    Attributes:
        start: Start of the run.
        end: Latest end of the run.
        metrics: Results of its metrics.
        dry_run: Names of the metrics that Argo does not count.
        arguments: Arguments that differ between runs, such as the hash of the canary.
    """

    start: datetime
    end: datetime
    metrics: tuple[MetricOutcome, ...]
    dry_run: frozenset[str] = frozenset()
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def counted(self) -> tuple[MetricOutcome, ...]:
        """Metrics that Argo counts."""
        return tuple(one for one in self.metrics if one.metric not in self.dry_run)

    @property
    def deciding(self) -> MetricOutcome | None:
        """Metric that ends the run early: the first one that is neither Successful nor still measured; None if none."""
        bad = [one for one in self.counted if one.phase is not Phase.SUCCESSFUL]
        return min(bad, key=lambda one: (one.ended_at, _WORST_FIRST.index(one.phase)), default=None)

    @property
    def phase(self) -> Phase:
        """Phase of the run. The first metric that ends it terminates the others."""
        return self.deciding.phase if self.deciding else Phase.SUCCESSFUL

    @property
    def aborts(self) -> bool:
        """Whether the rollout is aborted. An Inconclusive run pauses it."""
        return self.phase in (Phase.FAILED, Phase.ERROR)

    @property
    def has_data(self) -> bool:
        """Whether the metrics of the run had data."""
        if self.deciding is not None and not self.deciding.has_data:
            return False
        return any(one.has_data for one in self.metrics)


_WORST_FIRST: Final = (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE, Phase.RUNNING, Phase.PENDING, Phase.SUCCESSFUL)


@dataclass(frozen=True, slots=True)
class Rate:
    """Share of runs with a two-sided interval.

    Attributes:
        events: Number of runs with the event.
        runs: Number of runs.
    """

    events: int
    runs: int

    @property
    def share(self) -> float | None:
        """Share of the runs; None without runs."""
        return self.events / self.runs if self.runs else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Interval of the share at `INTERVAL_CONFIDENCE`; None without runs.

        It is Wilson's score interval (E. B. Wilson, Probable inference, the law of succession, and statistical
        inference, J. Am. Stat. Assoc. 22, 1927). Unlike the normal approximation it has its coverage for rare events,
        and is not empty for none.
        """
        if not self.runs:
            return None
        z = NormalDist().inv_cdf((1 + INTERVAL_CONFIDENCE) / 2)
        share, square = self.events / self.runs, z * z / self.runs
        middle = (share + square / 2) / (1 + square)
        half = z * sqrt(share * (1 - share) / self.runs + square / self.runs / 4) / (1 + square)
        low = 0.0 if self.events == 0 else max(0.0, middle - half)
        return low, 1.0 if self.events == self.runs else min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Summary:
    """Outcomes of all runs of one metric, or of all metrics together.

    Attributes:
        name: Name of the metric; empty for the run.
        phases: Number of runs with data, by phase.
        reasons: Number of runs with data, by phase and reason.
        without_data: Number of runs without data.
        aborts: Share of the runs with data that abort the rollout.
        minutes: Median of the minutes until the end, by phase.
    """

    name: str
    phases: Mapping[Phase, int]
    reasons: Mapping[tuple[Phase, str], int]
    without_data: int
    aborts: Rate
    minutes: Mapping[Phase, float]


def summarize_metric(name: str, runs: Sequence[RunOutcome]) -> Summary:
    """Return the outcomes of one metric, regardless of the other metrics."""
    found = [(run.start, one) for run in runs for one in run.metrics if one.metric == name]
    return _summarize(name, [(start, one.phase, one.reason, one.ended_at, one.has_data) for start, one in found])


def summarize_runs(runs: Sequence[RunOutcome]) -> Summary:
    """Return the outcomes of whole runs."""
    rows = []
    for run in runs:
        deciding = run.deciding
        ended_at = deciding.ended_at if deciding else max((one.ended_at for one in run.counted), default=run.end)
        rows.append((run.start, run.phase, deciding.reason if deciding else None, ended_at, run.has_data))
    return _summarize("", rows)


_Row = tuple[datetime, Phase, Reason | EndReason | None, datetime, bool]


def _summarize(name: str, rows: Sequence[_Row]) -> Summary:
    with_data = [row for row in rows if row[4]]
    phases = Counter(phase for _, phase, _, _, _ in with_data)
    reasons = Counter((phase, str(reason)) for _, phase, reason, _, _ in with_data if reason is not None)
    minutes = {
        phase: _median((ended - start) / timedelta(minutes=1) for start, one, _, ended, _ in with_data if one is phase)
        for phase in phases
    }
    aborts = phases[Phase.FAILED] + phases[Phase.ERROR]
    return Summary(name, dict(phases), dict(reasons), len(rows) - len(with_data), Rate(aborts, len(with_data)), minutes)


def _median(numbers: Iterable[float]) -> float:
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
