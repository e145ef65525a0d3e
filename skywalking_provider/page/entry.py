"""One measurement as the page keeps it: everything bounded, nothing that holds on to an answer. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from skywalking_provider.model import Phase, Run, Window
from skywalking_provider.page.words import Request, Words
from skywalking_provider.plan import Read
from skywalking_provider.record import Record, Trail
from skywalking_provider.series import Series

_MAX_READS = 3
_MAX_SERIES = 12
_ASKED = {  # of what the block alone tells
    "service": "Service",
    "endpoint": "Endpoint",
    "instances": "Instances",
    "layer": "Layer",
    "sli": "Indicator",
    "metrics": "Metrics",
    "ResolvedSkyWalkingExpression": "Expression",
}

Key = tuple[str, str, str, datetime]
"""What makes a measurement: the run's namespace and name, the metric, and when it began."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A measurement, as it stands.

    Attributes:
        record: Its facts, shortened.
        series: What was read, a dozen at most.
        more_series: How many were left out.
        asked: How many answers there were; a measurement that waits has several.
        number: Which one it is since the start of the service.
    """

    key: Key
    phase: Phase
    reason: str
    message: str
    value: str
    told: str
    run: Run
    backend: str
    success: str
    failure: str
    of: str
    facts: tuple[tuple[str, str], ...]
    window: Window | None
    requests: tuple[Request, ...]
    more_requests: int
    series: tuple[Series, ...]
    more_series: int
    calls: int | None
    covered: int | None
    at: datetime
    finished_at: datetime | None
    resume_at: datetime | None
    seconds: float
    asked: int = 1
    number: int = 0

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self.key[2]

    @property
    def rollout(self) -> str:
        """Name of the rollout, where the run belongs to one."""
        return self.run.owner_name if self.run.owner_kind == "Rollout" else ""

    @property
    def size(self) -> int:
        """About how many bytes it keeps."""
        texts = (self.message, self.value, self.told, self.success, self.failure, self.of)
        requests = sum(len(one.query) + len(one.variables) for one in self.requests)
        facts = sum(len(text) for _, text in self.facts)
        return 2000 + sum(map(len, texts)) + facts + requests + sum(100 + 40 * len(one.buckets) for one in self.series)

    def after(self, before: "Entry | None", number: int) -> "Entry":
        """The same measurement with what is known from its earlier answers."""
        if before is None:
            return replace(self, number=number)
        return replace(self, number=before.number, asked=before.asked + 1)


def entry_of(record: Record, at: datetime, words: Words) -> Entry:
    """What is kept of an answer that was given at an instant."""
    measurement, trail, sample = record.measurement, record.trail, record.trail.sample
    run, metric = words.run(record.run), words.name(record.metric.name)
    facts = {} if trail.reads else record.facts()
    reads = _reads(trail, facts)
    series = sample.shown if sample else ()
    return Entry(
        key=(run.namespace, run.name, metric, measurement.started_at),
        phase=measurement.phase,
        reason=record.reason or "",
        message=words.text(measurement.message),
        value=words.text(measurement.value),
        told=words.text(sample.told if sample else ""),
        run=run,
        backend=words.name(trail.backend),
        success=words.text(trail.success),
        failure=words.text(trail.failure),
        of=words.text(trail.of),
        facts=tuple((title, words.text(facts[key])) for key, title in _ASKED.items() if key in facts),
        window=trail.window,
        requests=tuple(words.request(read.query, read.variables) for read in reads[:_MAX_READS]),
        more_requests=max(0, len(reads) - _MAX_READS),
        series=tuple(words.series(one) for one in series[:_MAX_SERIES]),
        more_series=max(0, len(series) - _MAX_SERIES),
        calls=sample.calls if sample else None,
        covered=sample.covered if sample else None,
        at=at,
        finished_at=measurement.finished_at,
        resume_at=measurement.resume_at,
        seconds=record.seconds,
    )


def _reads(trail: Trail, facts: Mapping[str, str]) -> tuple[Read, ...]:
    """What was asked; where nothing came of it, what would have been."""
    if query := facts.get("ResolvedSkyWalkingQuery"):
        return (Read(query, {}),)
    return trail.reads
