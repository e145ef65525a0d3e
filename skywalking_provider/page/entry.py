"""One measurement as the page keeps it: everything bounded, nothing that holds on to an answer. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from skywalking_provider.model import Phase, Run, Window
from skywalking_provider.plan import Read
from skywalking_provider.record import Record, Trail
from skywalking_provider.series import Series

_MAX_TEXT = 2048
_MAX_QUERY = 4096
_MAX_READS = 3
_MAX_SERIES = 12
_MAX_NAME = 253
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
    queries: tuple[Read, ...]
    more_queries: int
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
        queries = sum(len(read.query) + 200 for read in self.queries)
        facts = sum(len(text) for _, text in self.facts)
        return 2000 + sum(map(len, texts)) + facts + queries + sum(100 + 40 * len(one.buckets) for one in self.series)

    def after(self, before: "Entry | None", number: int) -> "Entry":
        """The same measurement with what is known from its earlier answers."""
        if before is None:
            return replace(self, number=number)
        return replace(self, number=before.number, asked=before.asked + 1)


def entry_of(record: Record, at: datetime) -> Entry:
    """What is kept of an answer that was given at an instant."""
    measurement, trail, sample, run = record.measurement, record.trail, record.trail.sample, record.run
    series = sample.shown if sample else ()
    return Entry(
        key=(_name(run.namespace), _name(run.name), _name(record.metric.name), measurement.started_at),
        phase=measurement.phase,
        reason=record.reason or "",
        message=_short(measurement.message),
        value=_short(measurement.value),
        told=_short(sample.told if sample else ""),
        run=_known(run),
        backend=_name(trail.backend),
        success=_short(trail.success),
        failure=_short(trail.failure),
        of=_short(trail.of),
        facts=tuple((title, _short(trail.facts[key])) for key, title in _ASKED.items() if key in trail.facts),
        window=trail.window,
        queries=tuple(_short_read(read) for read in _reads(trail)),
        more_queries=max(0, len(trail.reads) - _MAX_READS),
        series=series[:_MAX_SERIES],
        more_series=max(0, len(series) - _MAX_SERIES),
        calls=sample.calls if sample else None,
        covered=sample.covered if sample else None,
        at=at,
        finished_at=measurement.finished_at,
        resume_at=measurement.resume_at,
        seconds=record.seconds,
    )


def _known(run: Run) -> Run:
    labels = {name: _name(run.labels[name]) for name in ("rollout-type", "step-index") if name in run.labels}
    names = (_name(run.namespace), _name(run.name), run.uid, labels, run.owner_kind, _name(run.owner_name))
    return Run(*names, run.created_at, run.started_at)


def _reads(trail: Trail) -> tuple[Read, ...]:
    """What was asked; where nothing came of it, what would have been."""
    if not trail.reads and (query := trail.facts.get("ResolvedSkyWalkingQuery")):
        return (Read(query, {}),)
    return trail.reads[:_MAX_READS]


def _short_read(read: Read) -> Read:
    return Read(_short(read.query, _MAX_QUERY), {name: _bounded(value) for name, value in read.variables.items()})


def _bounded(value: object) -> object:
    return _short(value) if isinstance(value, str) else value


def _short(text: str, most: int = _MAX_TEXT) -> str:
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)


def _name(text: str) -> str:
    return _short(text, _MAX_NAME)
