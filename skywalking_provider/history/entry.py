"""Entry of the measurement history: a bounded copy of a measurement event. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from skywalking_provider.analysis.alarm_view import build_alarm_views
from skywalking_provider.analysis.cause_view import CauseView, build_cause_view, sanitize_cause_view
from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent
from skywalking_provider.analysis.judgement_view import JudgementView, build_judgement_view, describe_short
from skywalking_provider.history.sanitize import HistoryRequest, TextSanitizer
from skywalking_provider.model import Phase, Run, Window
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series

_MAX_REQUESTS = 3
_MAX_SERIES = 12
_FACT_TITLES = {  # of the facts that are derived from the block
    "service": "Service",
    "endpoint": "Endpoint",
    "instances": "Instances",
    "layer": "Layer",
    "sli": "Indicator",
    "metrics": "Metrics",
    "judgedAgainst": "Judged against",
    "alarms": "Alarms",
    "ResolvedSkyWalkingExpression": "Expression",
}

MeasurementKey = tuple[str, str, str, datetime]
"""Identity of a measurement: namespace and name of the run, name of the metric, and start."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Latest state of one measurement; texts are redacted and truncated.

    Attributes:
        key: Identity of the measurement.
        phase: Latest phase.
        reason: Reason code; empty for a plain success.
        detail: Message without the reason code.
        value: Value of the measurement as JSON text.
        summary: Measured value in a few words.
        run: AnalysisRun of the measurement.
        backend: Name of the backend.
        success: The successCondition.
        failure: The failureCondition.
        subject: Measured entity, if the block does not name it completely.
        facts: Titles and texts of facts that are derived from the block.
        window: Measured window.
        requests: First requests to the OAP.
        more_requests: Number of requests that are not kept.
        series: First chart series.
        more_series: Number of series that are not kept.
        calls: Calls in the window, if they were read.
        buckets_with_data: Number of buckets with data, if known.
        recorded_at: Time of the latest event.
        finished_at: End of the measurement.
        resume_at: Time of the next attempt of a pending measurement.
        seconds: Duration of the latest attempt.
        judgement: Minutes and finding of a judged block, which replace its series; None for others.
        cause: Cause of a Failed verdict; None if it is not known.
        attempts: Number of events of this measurement; a pending measurement has several.
        number: Sequence number since the start of the service.
    """

    key: MeasurementKey
    phase: Phase
    reason: str
    detail: str
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
    judgement: JudgementView | None = None
    cause: CauseView | None = None
    attempts: int = 1
    number: int = 0

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self.key[2]

    @property
    def message(self) -> str:
        """Reason code and detail."""
        return f"{self.reason} {self.detail}".strip()

    @property
    def rollout(self) -> str:
        """Name of the rollout that owns the run; empty for other owners."""
        return self.run.owner_name if self.run.owner_kind == "Rollout" else ""

    @property
    def size(self) -> int:
        """Approximate memory use in bytes."""
        texts = (self.detail, self.value, self.summary, self.success, self.failure, self.subject)
        requests = sum(len(one.query) + len(one.variables) for one in self.requests)
        facts = sum(len(text) for _, text in self.facts)
        series = sum(100 + 40 * len(one.buckets) for one in self.series)
        judgement = self.judgement.size if self.judgement else 0
        cause = self.cause.size if self.cause else 0
        return 2000 + sum(map(len, texts)) + facts + requests + series + judgement + cause

    def continue_from(self, previous: "HistoryEntry | None", number: int) -> "HistoryEntry":
        """Return the entry with the number and the attempts of its previous state."""
        if previous is None:
            return replace(self, number=number)
        return replace(self, number=previous.number, attempts=previous.attempts + 1)


def build_entry(event: MeasurementEvent, recorded_at: datetime, sanitizer: TextSanitizer) -> HistoryEntry:
    """Build the entry of an event, without credentials and with bounded texts."""
    measurement, details, sample = event.measurement, event.details, event.details.sample
    run, metric = sanitizer.sanitize_run(event.run), sanitizer.sanitize_name(event.metric.name)
    facts = {} if details.requests else event.facts()
    if details.judgement is not None:
        facts = dict(facts) | {"judgedAgainst": details.judgement.spec.describe_standard()}
    requests = _select_requests(details, facts)
    judgement = (
        build_judgement_view(details.judgement, details.window) if details.judgement and details.window else None
    )
    series = sample.chart_series if sample and not judgement else ()
    return HistoryEntry(
        key=(run.namespace, run.name, metric, measurement.started_at),
        phase=measurement.phase,
        reason=event.reason or "",
        detail=sanitizer.sanitize_text(event.detail),
        value=sanitizer.sanitize_text(measurement.value),
        summary=sanitizer.sanitize_text(_summarize(details, sample)),
        run=run,
        backend=sanitizer.sanitize_name(details.backend),
        success=sanitizer.sanitize_text(details.success),
        failure=sanitizer.sanitize_text(details.failure),
        subject=sanitizer.sanitize_text(details.subject),
        facts=(
            *((title, sanitizer.sanitize_text(facts[key])) for key, title in _FACT_TITLES.items() if key in facts),
            *(("Alarm", sanitizer.sanitize_text(line)) for line in _list_alarms(details, recorded_at)),
        ),
        window=details.window,
        requests=tuple(sanitizer.sanitize_request(one.query, one.variables) for one in requests[:_MAX_REQUESTS]),
        more_requests=max(0, len(requests) - _MAX_REQUESTS),
        series=tuple(sanitizer.sanitize_series(one) for one in series[:_MAX_SERIES]),
        more_series=max(0, len(series) - _MAX_SERIES),
        calls=sample.calls if sample else None,
        buckets_with_data=sample.buckets_with_data if sample else None,
        recorded_at=recorded_at,
        finished_at=measurement.finished_at,
        resume_at=measurement.resume_at,
        seconds=event.seconds,
        judgement=judgement,
        cause=_build_cause(details.cause, sanitizer) if details.cause else None,
    )


def _build_cause(cause: Cause, sanitizer: TextSanitizer) -> CauseView:
    """Build the view of a cause from sanitized texts."""
    return sanitize_cause_view(build_cause_view(cause), sanitizer.sanitize_name)


def _list_alarms(details: MeasurementDetails, now: datetime) -> list[str]:
    """Return a line for each alarm of a block of alarms; none for others."""
    if details.sample is None or details.sample.alarms is None or details.window is None:
        return []
    views = build_alarm_views(details.sample.alarms, details.window.start.tzinfo)
    return [one.describe(now) for one in views]


def _summarize(details: MeasurementDetails, sample: Sample | None) -> str:
    """Return the measured value in a few words."""
    if details.judgement is None:
        return sample.summary if sample else ""
    return describe_short(details.judgement)


def _select_requests(details: MeasurementDetails, facts: Mapping[str, str]) -> tuple[GraphqlRequest, ...]:
    """Return the requests that were sent, or the resolved query if none was sent."""
    if query := facts.get("ResolvedSkyWalkingQuery"):
        return (GraphqlRequest(query, {}),)
    return details.requests
