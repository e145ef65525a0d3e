"""View of a cause for people and programs: endpoints with their numbers, traces and error logs. No I/O."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from skywalking_provider.analysis.message import format_calls, format_thousands
from skywalking_provider.oap.api.records import MAX_LOGS, LogRecord, TraceChoice, TraceRecord
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoints import EndpointCause, EndpointShare, Traffic
from skywalking_provider.queries.causes.records import RecordSample
from skywalking_provider.queries.causes.target import Contribution
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.links import format_link

_TITLES: Final = {
    Contribution.FAILURES: "Failure rate by endpoint",
    Contribution.TIME: "Average response time by endpoint",
}
_TRACE_TITLES: Final = {TraceChoice.ERRORS: "Error traces", TraceChoice.SLOWEST: "Slowest sampled traces"}
SERVICE_WIDE: Final = "calls of all instances of the service"
"""Note beside numbers that are not the canary's alone."""
_ITEM_BYTES: Final = 600


@dataclass(frozen=True, slots=True)
class EndpointView:
    """One endpoint of a cause.

    Attributes:
        name: Name of the endpoint.
        canary: Length of the canary's bar, from 0 to 1.
        canary_text: Numbers of the canary.
        stable: Length of stable's bar; None without stable.
        stable_text: Numbers of stable; empty without stable.
    """

    name: str
    canary: float
    canary_text: str
    stable: float | None = None
    stable_text: str = ""


@dataclass(frozen=True, slots=True)
class BarsView:
    """Endpoints as bars.

    Attributes:
        title: Title of the bars.
        note: Note beside the title; empty without one.
        endpoints: Endpoints, those that contributed most first.
    """

    title: str
    note: str
    endpoints: tuple[EndpointView, ...]


@dataclass(frozen=True, slots=True)
class TraceView:
    """One trace.

    Attributes:
        trace_id: Its id.
        text: Endpoint, start and duration.
        link: Link to SkyWalking's UI; empty without one.
    """

    trace_id: str
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class LogView:
    """One error log.

    Attributes:
        text: Time and endpoint.
        content: Its text; empty unless texts may be shown.
        link: Link to SkyWalking's UI; empty without one.
    """

    text: str
    content: str
    link: str


@dataclass(frozen=True, slots=True)
class CauseView:
    """Explanation of a Failed verdict.

    Attributes:
        bars: Endpoints as bars: by the canary's own traces, by the metrics of the service, or both.
        traces_title: Title of the traces; empty without traces.
        traces: Traces of the canary.
        logs_title: Number of error logs; empty without logs.
        logs: Error logs of the canary.
    """

    bars: tuple[BarsView, ...]
    traces_title: str
    traces: tuple[TraceView, ...]
    logs_title: str
    logs: tuple[LogView, ...]

    @property
    def size(self) -> int:
        """Approximate memory use in bytes."""
        texts = [one.name for bars in self.bars for one in bars.endpoints]
        texts += [f"{one.trace_id}{one.text}{one.link}" for one in self.traces]
        texts += [f"{one.text}{one.content}{one.link}" for one in self.logs]
        return 400 + sum(_ITEM_BYTES + len(text) for text in texts)


def build_cause_view(cause: Cause) -> CauseView:
    """Build the view of a cause."""
    records = cause.records
    traces = tuple(_build_trace(one, cause) for one in records.traces) if records else ()
    return CauseView(
        tuple(_iterate_bars(cause)),
        _TRACE_TITLES[records.choice] if records and traces else "",
        traces,
        _describe_logs(records.error_logs) if records and records.error_logs else "",
        tuple(_build_log(one, cause) for one in records.logs) if records else (),
    )


def sanitize_cause_view(view: CauseView, sanitize: Callable[[str], str]) -> CauseView:
    """Return the view with foreign texts sanitized. Ids and links have no characters to replace."""
    return replace(
        view,
        bars=tuple(
            replace(bars, endpoints=tuple(replace(one, name=sanitize(one.name)) for one in bars.endpoints))
            for bars in view.bars
        ),
        traces=tuple(replace(one, text=sanitize(one.text)) for one in view.traces),
        logs=tuple(replace(one, text=sanitize(one.text), content=sanitize(one.content)) for one in view.logs),
    )


def build_cause_json(cause: Cause, max_items: int | None = None, *, with_content: bool = False) -> dict[str, object]:
    """Build the JSON object of a cause: names, numbers and ids.

    Args:
        cause: The cause.
        max_items: Maximum number of endpoints, of traces and of logs; None for all.
        with_content: Whether to add the texts of logs.
    """
    endpoints, records = cause.endpoints, cause.records
    return {
        "ranking": endpoints.contribution.value if endpoints else None,
        "serviceWide": endpoints.service_wide if endpoints else None,
        **(_traffic_json(endpoints.total, endpoints.contribution) if endpoints else {}),
        "endpoints": [_share_json(one, endpoints) for one in endpoints.endpoints[:max_items]] if endpoints else [],
        "sampledTraces": None if records is None else _sample_json(records, max_items),
        "traces": [
            {"id": one.trace_id, "endpoint": one.endpoint, "start": one.started_at, "ms": one.milliseconds}
            for one in (records.traces[:max_items] if records else ())
        ],
        "errorLogs": records.error_logs if records else None,
        "logs": [
            {"time": one.timestamp, "endpoint": one.endpoint, "trace": one.trace_id}
            | ({"content": one.content} if with_content and one.content else {})
            for one in (records.logs[:max_items] if records else ())
        ],
    }


def _iterate_bars(cause: Cause) -> Iterator[BarsView]:
    endpoints, records = cause.endpoints, cause.records
    own = endpoints is None or endpoints.service_wide
    if own and records and records.choice is TraceChoice.ERRORS and records.endpoints:
        longest = records.endpoints[0][1]
        note = f"of {format_count(records.sampled, 'sampled trace')} of the canary"
        yield BarsView(
            "Error traces by endpoint",
            note,
            tuple(EndpointView(name, traces / longest, f"{traces} traces") for name, traces in records.endpoints),
        )
    if endpoints:
        sides = [side for one in endpoints.endpoints for side in (one.canary, one.stable) if side]
        longest_side = max((side.per_call for side in sides), default=0.0)
        yield BarsView(
            _TITLES[endpoints.contribution],
            SERVICE_WIDE if endpoints.service_wide else "",
            tuple(_build_endpoint(one, endpoints, longest_side) for one in endpoints.endpoints),
        )


def _build_endpoint(one: EndpointShare, cause: EndpointCause, longest: float) -> EndpointView:
    def length(side: Traffic) -> float:
        return side.per_call / longest if longest else 0.0

    return EndpointView(
        one.name,
        length(one.canary),
        _describe(one.canary, cause.contribution),
        None if one.stable is None else length(one.stable),
        "" if one.stable is None else _describe(one.stable, cause.contribution),
    )


def _build_trace(one: TraceRecord, cause: Cause) -> TraceView:
    parts = (one.endpoint, _format_time(one.started_at), f"{format_thousands(one.milliseconds)} ms")
    return TraceView(one.trace_id, " · ".join(filter(None, parts)), _link(cause.trace_link, cause, one.trace_id))


def _build_log(one: LogRecord, cause: Cause) -> LogView:
    text = " · ".join(filter(None, (_format_time(one.timestamp), one.endpoint)))
    link = _link(cause.log_link, cause, one.trace_id)
    if not link and one.trace_id:
        link = _link(cause.trace_link, cause, one.trace_id)
    return LogView(text, one.content, link)


def _link(pattern: str | None, cause: Cause, trace_id: str) -> str:
    if not pattern:
        return ""
    parts = {"traceId": trace_id, "service": cause.service, "serviceId": cause.service_id, "layer": cause.layer}
    return format_link(pattern, parts)


def _describe_logs(number: int) -> str:
    more = " or more" if number and number % MAX_LOGS == 0 else ""
    return f"{format_count(number, 'error log')}{more}"


def _format_time(milliseconds: int) -> str:
    """Return the UTC time of a number of milliseconds since 1970; empty for an impossible one."""
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%H:%M:%S} UTC" if milliseconds > 0 else ""
    except (OverflowError, ValueError, OSError):
        return ""


def _describe(side: Traffic, contribution: Contribution) -> str:
    if not side.calls:
        return "no calls"
    if contribution is Contribution.FAILURES:
        return f"{format_thousands(round(side.amount))} of {format_calls(side.calls)} failed"
    return f"{format_thousands(round(side.per_call))} ms, {format_calls(side.calls)}"


def _share_json(one: EndpointShare, cause: EndpointCause) -> dict[str, object]:
    return {
        "name": one.name,
        **_traffic_json(one.canary, cause.contribution),
        "stable": None if one.stable is None else _traffic_json(one.stable, cause.contribution),
    }


def _sample_json(records: RecordSample, max_items: int | None) -> dict[str, object]:
    endpoints = [{"name": name, "traces": traces} for name, traces in records.endpoints[:max_items]]
    return {"choice": records.choice.value, "traces": records.sampled, "endpoints": endpoints}


def _traffic_json(side: Traffic, contribution: Contribution) -> dict[str, object]:
    if contribution is Contribution.FAILURES:
        return {"calls": side.calls, "failures": round(side.amount)}
    return {"calls": side.calls, "averageMs": round(side.per_call, 1) if side.calls else None}
