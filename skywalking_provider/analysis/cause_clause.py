"""Clause of a cause in a message: the endpoint that contributed most, its numbers and a trace. No I/O."""

from dataclasses import dataclass
from typing import Final

from skywalking_provider.analysis.message import format_calls, format_thousands
from skywalking_provider.oap.api.records import TraceChoice
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoints import EndpointCause, EndpointShare
from skywalking_provider.queries.causes.records import RecordSample
from skywalking_provider.queries.causes.target import Contribution
from skywalking_provider.support.printable import printable_line

MAX_CLAUSE: Final = 120
"""Characters of the clause in a message."""
_MIN_NAME: Final = 16
"""Characters of a name that a trace leaves."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Parts of a clause without the trace: words, name of the endpoint, its numbers, and those of stable."""

    before: str
    name: str
    numbers: str
    beside: str = ""


def describe_cause(cause: Cause, max_characters: int = MAX_CLAUSE) -> str:
    """Return the clause: what the canary itself reported, or else the endpoints of its service. Empty if none is sure.

    The metrics of endpoints count every call, so they come first for a whole service.
    """
    endpoints, records = cause.endpoints, cause.records
    if endpoints and endpoints.named and not endpoints.service_wide:
        clause = _describe_endpoints(endpoints, endpoints.named)
        return _join(clause, _find_trace(records, endpoints.named.name), max_characters)
    if records and (reported := _describe_records(records)):
        return _join(reported, _find_trace(records, reported.name), max_characters)
    if endpoints and endpoints.named:
        return _join(_describe_endpoints(endpoints, endpoints.named), "", max_characters)
    return ""


def cut_name(name: str, max_characters: int) -> str:
    """Return a name in one printable line of a limited length."""
    line = " ".join(printable_line(name).split())
    return line if len(line) <= max_characters else f"{line[: max(0, max_characters - 1)]}…"


def format_share(share: float, total: float) -> str:
    """Return a share in percent. Only all of it is 100 %."""
    percent = round(100 * share / total) if total else 0
    return f"{min(percent, 99) if share < total else percent} %"


def _join(parts: _Parts, trace_id: str, max_characters: int) -> str:
    """Return the words, the name and the numbers. A trace replaces the numbers of stable if there is no room for both.

    The trace is left out if too little of the name is left beside it.
    """
    least = len(parts.before) + min(len(parts.name), _MIN_NAME) + len(parts.numbers)
    trace = f" · trace {trace_id}" if trace_id and least + len(f" · trace {trace_id}") <= max_characters else ""
    beside = parts.beside if not trace or least + len(parts.beside) + len(trace) <= max_characters else ""
    after = f"{parts.numbers}{beside}{trace}"
    return f"{parts.before}{cut_name(parts.name, max_characters - len(parts.before) - len(after))}{after}"[
        :max_characters
    ]


def _find_trace(records: RecordSample | None, endpoint: str) -> str:
    """Return the id of a trace of an endpoint; empty without one."""
    traces = records.traces if records else ()
    return next((one.trace_id for one in traces if one.endpoint == endpoint), "")


def _describe_records(records: RecordSample) -> _Parts | None:
    """Return the parts of the clause for the traces of the canary; None if they name no endpoint."""
    if records.choice is TraceChoice.SLOWEST:
        first = next(iter(records.traces), None)
        if first is None or not first.endpoint:
            return None
        return _Parts("slowest sampled trace ", first.endpoint, f": {_count(first.milliseconds)} ms")
    if not records.endpoints:
        return None
    name, traces = records.endpoints[0]
    words = "mostly" if 2 * traces > records.sampled else "most in"
    noun = "trace" if records.sampled == 1 else "traces"
    return _Parts(f"{words} ", name, f": {_count(traces)} of {_count(records.sampled)} sampled error {noun}")


def _describe_endpoints(cause: EndpointCause, named: EndpointShare) -> _Parts:
    before = f"{'service-wide ' if cause.service_wide else ''}{_select_words(cause, named)} "
    numbers, beside = _describe_numbers(cause, named)
    return _Parts(before, named.name, f": {numbers}", beside)


def _select_words(cause: EndpointCause, named: EndpointShare) -> str:
    """Return the words before the endpoint, which claim no more than the numbers show."""
    failures = cause.contribution is Contribution.FAILURES
    share, total = (named.canary.amount, cause.total.amount) if failures else (named.added, _time_total(cause))
    if 2 * share > total:
        return "mostly"
    return "more in" if any(one.canary.amount > named.canary.amount for one in cause.endpoints) else "most in"


def _describe_numbers(cause: EndpointCause, named: EndpointShare) -> tuple[str, str]:
    """Return the numbers of the canary, and those of stable beside them."""
    stable = named.stable
    if cause.contribution is Contribution.FAILURES:
        failures = f"{_count(named.canary.amount)} of {_count(cause.total.amount)} failures"
        return failures, f", stable {_count(stable.amount)} of {format_calls(stable.calls)}" if stable else ""
    time = f"{_count(named.canary.per_call)} ms on average"
    share = format_share(named.added, _time_total(cause))
    if stable is None:
        return time, f", {share} of the response time"
    return time, f"{f', stable {_count(stable.per_call)} ms' if stable.calls else ''}, {share} of the added time"


def _time_total(cause: EndpointCause) -> float:
    """Return the milliseconds that the share of an endpoint refers to."""
    return cause.added if cause.beside_stable else cause.total.amount


def _count(number: float) -> str:
    return format_thousands(round(number))
