"""Traces and error logs behind a Failed verdict: a bounded sample of what the canary itself reported. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from skywalking_provider.oap.api.records import LogRecord, TraceChoice, TraceRecord

MAX_SCOPES: Final = 5
"""Instances whose traces and logs are read, those with the first names."""
_MAX_KEPT_TRACES: Final = 5
_MAX_KEPT_LOGS: Final = 3
_MAX_ENDPOINTS: Final = 10
_MAX_NAME: Final = 512  # characters; OAP stores 150 by default
_MAX_CONTENT: Final = 2048  # characters
_MAX_TRACE_ID: Final = 64
_TRACE_ID_MARKS: Final = frozenset("._:=+/@-")


@dataclass(frozen=True, slots=True)
class RecordSample:
    """Traces and error logs of the canary in the window.

    Attributes:
        choice: Which traces were read.
        sampled: Number of traces that were read.
        endpoints: Endpoints of these traces with their numbers, the most frequent first.
        traces: First traces, those of the endpoint behind the verdict before others.
        error_logs: Number of error logs that were read.
        logs: First of these logs.
    """

    choice: TraceChoice
    sampled: int
    endpoints: tuple[tuple[str, int], ...]
    traces: tuple[TraceRecord, ...]
    error_logs: int
    logs: tuple[LogRecord, ...]

    @property
    def size(self) -> int:
        """Characters of all texts."""
        names = sum(len(name) for name, _ in self.endpoints)
        traces = sum(len(one.trace_id) + len(one.endpoint) for one in self.traces)
        return names + traces + sum(len(one.trace_id) + len(one.endpoint) + len(one.content) for one in self.logs)


def summarize_records(
    choice: TraceChoice, traces: Sequence[TraceRecord], logs: Sequence[LogRecord], preferred: str
) -> RecordSample | None:
    """Keep a bounded part of traces and logs. None if there is neither.

    Args:
        choice: Which traces were read.
        traces: Traces of all scopes.
        logs: Error logs of all scopes.
        preferred: Endpoint whose traces are kept first; empty for the most frequent one.
    """
    usable = [one for one in traces if is_trace_id(one.trace_id) and len(one.endpoint) <= _MAX_NAME]
    if choice is TraceChoice.ERRORS:
        usable = [one for one in usable if one.is_error]
    if not usable and not logs:
        return None
    counts = Counter(one.endpoint for one in usable if one.endpoint)
    endpoints = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    first = preferred or (endpoints[0][0] if endpoints and choice is TraceChoice.ERRORS else "")
    newest = sorted(usable, key=lambda one: (one.endpoint != first, *_order(choice, one), one.trace_id))
    recent = sorted(logs, key=lambda one: -one.timestamp)
    return RecordSample(
        choice,
        len(usable),
        tuple(endpoints[:_MAX_ENDPOINTS]),
        tuple(newest[:_MAX_KEPT_TRACES]),
        len(recent),
        tuple(_cut(one) for one in recent[:_MAX_KEPT_LOGS]),
    )


def is_trace_id(text: str) -> bool:
    """Return whether a text can be the id of a trace. Other texts are shown nowhere."""
    return 0 < len(text) <= _MAX_TRACE_ID and all(
        one.isascii() and (one.isalnum() or one in _TRACE_ID_MARKS) for one in text
    )


def _order(choice: TraceChoice, one: TraceRecord) -> tuple[int, ...]:
    return (-one.started_at,) if choice is TraceChoice.ERRORS else (-one.milliseconds,)


def _cut(log: LogRecord) -> LogRecord:
    trace_id = log.trace_id if is_trace_id(log.trace_id) else ""
    return LogRecord(log.timestamp, trace_id, log.endpoint[:_MAX_NAME], log.content[:_MAX_CONTENT])
