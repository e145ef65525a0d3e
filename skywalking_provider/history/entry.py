"""One measurement as the page keeps it: everything bounded, nothing that holds on to an answer. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent
from skywalking_provider.history.sanitize import HistoryRequest, TextSanitizer
from skywalking_provider.model import Phase, Run, Window
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries.series import Series

_MAX_REQUESTS = 3
_MAX_SERIES = 12
_FACT_TITLES = {  # of what the block alone tells
    "service": "Service",
    "endpoint": "Endpoint",
    "instances": "Instances",
    "layer": "Layer",
    "sli": "Indicator",
    "metrics": "Metrics",
    "ResolvedSkyWalkingExpression": "Expression",
}

MeasurementKey = tuple[str, str, str, datetime]
"""What makes a measurement: the run's namespace and name, the metric, and when it began."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A measurement, as it stands.

    Attributes:
        record: Its facts, shortened.
        series: What was read, a dozen at most.
        more_series: How many were left out.
        asked: How many answers there were; a measurement that waits has several.
        number: Which one it is since the start of the service.
    """

    key: MeasurementKey
    phase: Phase
    reason: str
    message: str
    value: str
    summary: str
    run: Run
    backend: str
    success: str
    failure: str
    subject: str
    facts: tuple[tuple[str, str], ...]
    window: Window | None
    requests: tuple[HistoryRequest, ...]
    more_requests: int
    series: tuple[Series, ...]
    more_series: int
    calls: int | None
    buckets_with_data: int | None
    recorded_at: datetime
    finished_at: datetime | None
    resume_at: datetime | None
    seconds: float
    attempts: int = 1
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
        texts = (self.message, self.value, self.summary, self.success, self.failure, self.subject)
        requests = sum(len(one.query) + len(one.variables) for one in self.requests)
        facts = sum(len(text) for _, text in self.facts)
        return 2000 + sum(map(len, texts)) + facts + requests + sum(100 + 40 * len(one.buckets) for one in self.series)

    def continue_from(self, previous: "HistoryEntry | None", number: int) -> "HistoryEntry":
        """The same measurement with what is known from its earlier answers."""
        if previous is None:
            return replace(self, number=number)
        return replace(self, number=previous.number, attempts=previous.attempts + 1)


def build_entry(event: MeasurementEvent, recorded_at: datetime, sanitizer: TextSanitizer) -> HistoryEntry:
    """What is kept of an answer that was given at an instant."""
    measurement, trail, sample = event.measurement, event.details, event.details.sample
    run, metric = sanitizer.sanitize_run(event.run), sanitizer.sanitize_name(event.metric.name)
    facts = {} if trail.requests else event.facts()
    reads = _select_requests(trail, facts)
    series = sample.chart_series if sample else ()
    return HistoryEntry(
        key=(run.namespace, run.name, metric, measurement.started_at),
        phase=measurement.phase,
        reason=event.reason or "",
        message=sanitizer.sanitize_text(measurement.message),
        value=sanitizer.sanitize_text(measurement.value),
        summary=sanitizer.sanitize_text(sample.summary if sample else ""),
        run=run,
        backend=sanitizer.sanitize_name(trail.backend),
        success=sanitizer.sanitize_text(trail.success),
        failure=sanitizer.sanitize_text(trail.failure),
        subject=sanitizer.sanitize_text(trail.subject),
        facts=tuple(
            (title, sanitizer.sanitize_text(facts[key])) for key, title in _FACT_TITLES.items() if key in facts
        ),
        window=trail.window,
        requests=tuple(sanitizer.sanitize_request(read.query, read.variables) for read in reads[:_MAX_REQUESTS]),
        more_requests=max(0, len(reads) - _MAX_REQUESTS),
        series=tuple(sanitizer.sanitize_series(one) for one in series[:_MAX_SERIES]),
        more_series=max(0, len(series) - _MAX_SERIES),
        calls=sample.calls if sample else None,
        buckets_with_data=sample.buckets_with_data if sample else None,
        recorded_at=recorded_at,
        finished_at=measurement.finished_at,
        resume_at=measurement.resume_at,
        seconds=event.seconds,
    )


def _select_requests(details: MeasurementDetails, facts: Mapping[str, str]) -> tuple[GraphqlRequest, ...]:
    """What was asked; where nothing came of it, what would have been."""
    if query := facts.get("ResolvedSkyWalkingQuery"):
        return (GraphqlRequest(query, {}),)
    return details.requests
