"""Traces and logs of services and their instances: the fields of a request that read them, and their responses."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.oap.api.record_responses import LOGS, TRACE_BRIEF, TRACE_LIST, WholeTrace
from skywalking_provider.oap.api.request import RequestFields

MAX_TRACES: Final = 20
"""Traces of one scope. OAP's own interface shows as many on a page."""
MAX_WHOLE_TRACES: Final = 10
"""Traces of one scope if OAP sends all their spans."""
MAX_LOGS: Final = 20
"""Logs of one scope."""
_ENTRY: Final = "Entry"
_LEVEL: Final = {"key": "level", "value": "ERROR"}


class TraceApi(StrEnum):
    """Query of traces. A storage serves one of them, and rejects the other one."""

    SEGMENTS = "queryBasicTraces"
    """Segments with their traces' ids."""
    WHOLE = "queryTraces"
    """Traces with all spans: BanyanDB since OAP 10.3."""


class TraceChoice(StrEnum):
    """Traces to read."""

    ERRORS = "errors"
    """The newest ones with an error."""
    SLOWEST = "slowest"
    """The slowest ones, with an error or without."""


@dataclass(frozen=True, slots=True)
class RecordScope:
    """Origin of traces and logs: a service, or one of its instances.

    Attributes:
        service: The service.
        instance: Name of the instance; None for all.
    """

    service: InventoryService
    instance: str | None = None

    def encode(self) -> dict[str, object]:
        """Return the ids that a condition has."""
        if self.instance is None:
            return {"serviceId": self.service.id}
        name = b64encode(self.instance.encode()).decode()
        return {"serviceId": self.service.id, "serviceInstanceId": f"{self.service.id}_{name}"}


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """A stored trace, as the scope saw it.

    Attributes:
        trace_id: Its id.
        endpoint: Endpoint of the scope that it entered; empty if it is unknown.
        milliseconds: Time that it took there.
        started_at: Milliseconds since 1970.
        is_error: Whether it has an error.
    """

    trace_id: str
    endpoint: str
    milliseconds: int
    started_at: int
    is_error: bool


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A stored log with the level ERROR.

    Attributes:
        timestamp: Milliseconds since 1970.
        trace_id: Id of its trace; empty without one.
        endpoint: Its endpoint; empty without one.
        content: Its text; empty if it was not requested.
    """

    timestamp: int
    trace_id: str
    endpoint: str
    content: str = ""


_SEGMENT_SELECTION: Final = "{ traces { endpointNames duration start isError traceIds } }"
_SPAN_SELECTION: Final = (
    "{ traces { spans { traceId serviceCode serviceInstanceName startTime endTime endpointName type isError } } }"
)


def record_fields(
    scopes: Sequence[RecordScope],
    duration: Mapping[str, str],
    choice: TraceChoice,
    trace_api: TraceApi,
    *,
    with_content: bool,
) -> RequestFields:
    """Return the fields that read traces and error logs of each scope.

    Args:
        scopes: Services and instances.
        duration: Window, as `duration_variable` builds it.
        choice: Traces to read.
        trace_api: Query that the storage serves.
        with_content: Whether to read the texts of logs.
    """
    whole = trace_api is TraceApi.WHOLE
    declared, selected, variables = list[str](), list[str](), dict[str, object]()
    log_selection = f"{{ logs {{ timestamp traceId endpointName{' content' if with_content else ''} }} }}"
    for at, scope in enumerate(scopes):
        declared += [f"$t{at}: TraceQueryCondition", f"$l{at}: LogQueryCondition"]
        common = scope.encode() | {"queryDuration": dict(duration)}
        variables[f"t{at}"] = common | {
            "traceState": "ERROR" if choice is TraceChoice.ERRORS else "ALL",
            "queryOrder": "BY_START_TIME" if choice is TraceChoice.ERRORS else "BY_DURATION",
            "paging": {"pageNum": 1, "pageSize": MAX_WHOLE_TRACES if whole else MAX_TRACES},
        }
        variables[f"l{at}"] = common | {
            "tags": [_LEVEL],
            "queryOrder": "DES",
            "paging": {"pageNum": 1, "pageSize": MAX_LOGS},
        }
        selected.append(f"t{at}: {trace_api}(condition: $t{at}) {_SPAN_SELECTION if whole else _SEGMENT_SELECTION}")
        selected.append(f"l{at}: queryLogs(condition: $l{at}) {log_selection}")
    return RequestFields(tuple(declared), tuple(selected), variables, 20 * len(scopes))


def parse_traces(
    data: Mapping[str, Any], scopes: Sequence[RecordScope], trace_api: TraceApi
) -> tuple[TraceRecord, ...] | None:
    """Parse the traces of all scopes, each once. None if OAP cannot read traces.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    traces, readable = dict[str, TraceRecord](), False
    for at, scope in enumerate(scopes):
        parsed = _parse_whole(data, at, scope) if trace_api is TraceApi.WHOLE else _parse_segments(data, at)
        if parsed is None:
            continue
        readable = True
        for one in parsed:
            traces.setdefault(one.trace_id, one)
    return tuple(traces.values()) if readable else None


def parse_logs(data: Mapping[str, Any], scopes: Sequence[RecordScope]) -> tuple[LogRecord, ...] | None:
    """Parse the error logs of all scopes. None if OAP cannot read logs.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    lists = [LOGS.parse(data, f"l{at}") for at in range(len(scopes))]
    if not any(lists):
        return None
    return tuple(
        LogRecord(line.timestamp, line.trace_id or "", line.endpoint or "", line.content or "")
        for one in lists
        if one
        for line in one.logs[:MAX_LOGS]
    )


def _parse_segments(data: Mapping[str, Any], at: int) -> list[TraceRecord] | None:
    brief = TRACE_BRIEF.parse(data, f"t{at}")
    if brief is None:
        return None
    return [
        TraceRecord(
            one.trace_ids[0],
            one.endpoints[0] if one.endpoints else "",
            one.milliseconds,
            int(one.start) if one.start.isdecimal() and len(one.start) < 16 else 0,
            bool(one.is_error),
        )
        for one in brief.traces[:MAX_TRACES]
        if one.trace_ids
    ]


def _parse_whole(data: Mapping[str, Any], at: int, scope: RecordScope) -> list[TraceRecord] | None:
    parsed = TRACE_LIST.parse(data, f"t{at}")
    if parsed is None:
        return None
    return [record for one in parsed.traces[:MAX_WHOLE_TRACES] for record in _read_spans(one, scope)]


def _read_spans(trace: WholeTrace, scope: RecordScope) -> Iterator[TraceRecord]:
    """Yield the trace as the scope saw it: by its first entry span there."""
    own = [
        one
        for one in trace.spans
        if one.service == scope.service.name and (scope.instance is None or one.instance == scope.instance)
    ]
    entries = [one for one in own if one.type == _ENTRY] or own
    if entries:
        first = min(entries, key=lambda one: one.start)
        yield TraceRecord(
            first.trace_id,
            first.endpoint or "",
            first.end - first.start,
            first.start,
            any(bool(one.is_error) for one in own),
        )
