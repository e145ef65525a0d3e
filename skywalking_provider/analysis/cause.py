"""Cause of a Failed verdict of an indicator: the endpoints behind it, and their clause in the message."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

import structlog

from skywalking_provider.analysis.judging import Judgement
from skywalking_provider.analysis.message import format_calls, format_thousands, join_parts
from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.block import IndicatorName
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries import Query
from skywalking_provider.queries.causes.endpoints import EndpointCause, EndpointShare
from skywalking_provider.queries.causes.reads import read_endpoint_cause
from skywalking_provider.queries.causes.target import Contribution
from skywalking_provider.queries.sample import Sample
from skywalking_provider.support.printable import printable_line

MAX_CLAUSE: Final = 120
"""Characters of the clause in a message."""
_MAX_NAME: Final = 253
"""Characters of the name of an endpoint outside the message."""
DEFAULT_BUDGET_SECONDS: Final = 2.0
"""Time for the cause of one measurement."""
_RESERVE_SECONDS: Final = 0.25
"""Part of the deadline that is left for the verdict, which is known already."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FailedVerdict:
    """A Failed verdict of a query, with what it was found on.

    Attributes:
        query: Query of the block.
        window: Window of the measurement.
        sample: Sample that was judged or evaluated.
        judgement: Judgement of a judged block; None for others.
    """

    query: Query
    window: Window
    sample: Sample
    judgement: Judgement | None = None


async def find_cause(
    failed: FailedVerdict, backend: Backend, deadline: Deadline, budget_seconds: float
) -> EndpointCause | None:
    """Return the endpoints behind a Failed verdict; None if they are not known.

    The verdict never depends on it: every error is ignored, and the time is bounded.

    Args:
        failed: The verdict.
        backend: Backend of the measurement.
        deadline: Deadline of the measurement.
        budget_seconds: Time for the cause within the deadline.
    """
    target = failed.query.select_cause_target(backend)
    if target is None:
        return None
    budget = Deadline.after(budget_seconds, deadline.monotonic)
    within = min(budget, deadline.minus(_RESERVE_SECONDS), key=lambda one: one.at)
    try:
        async with asyncio.timeout(within.remaining):
            cause = await read_endpoint_cause(target, backend, failed.window, within)
    except (ProviderError, TimeoutError):
        return None
    except Exception:  # noqa: BLE001 - the verdict is known, and must not be lost
        _log.exception("cause of a failed measurement not found", backend=backend.connection.name)
        return None
    if cause is None or cause.first is None:
        return None
    if target.indicator is IndicatorName.APDEX and not _explains_apdex(cause, failed):
        return None
    return _sanitize(cause, backend)


def add_cause(verdict: Verdict, cause: EndpointCause | None) -> Verdict:
    """Return the verdict with the clause of its cause at the end of its text."""
    return verdict if cause is None else replace(verdict, detail=join_parts(verdict.detail, describe_cause(cause)))


def describe_cause(cause: EndpointCause, max_characters: int = MAX_CLAUSE) -> str:
    """Return the clause for the message: the endpoint that added most, and its numbers. Empty if none did."""
    first = cause.first
    if first is None:
        return ""
    before = f"{'service-wide ' if cause.service_wide else ''}{_select_words(cause, first)} "
    after = f": {_describe_numbers(cause, first)}"
    return f"{before}{cut_name(first.name, max_characters - len(before) - len(after))}{after}"[:max_characters]


def _sanitize(cause: EndpointCause, backend: Backend) -> EndpointCause:
    """Return the cause with names that every exit may show. A secret is redacted before its name can be cut."""
    redact = backend.connection.redactor
    endpoints = tuple(replace(one, name=cut_name(redact(one.name), _MAX_NAME)) for one in cause.endpoints)
    return replace(cause, endpoints=endpoints)


def cut_name(name: str, max_characters: int) -> str:
    """Return a name in one printable line of a limited length."""
    line = " ".join(printable_line(name).split())
    return line if len(line) <= max_characters else f"{line[: max(0, max_characters - 1)]}…"


def format_share(share: float, total: float) -> str:
    """Return a share in percent. Only all of it is 100 %."""
    percent = round(100 * share / total) if total else 0
    return f"{min(percent, 99) if share < total else percent} %"


def _select_words(cause: EndpointCause, first: EndpointShare) -> str:
    """Return the words before the endpoint, which claim no more than the numbers show."""
    failures = cause.contribution is Contribution.FAILURES
    share, total = (first.canary.amount, cause.total.amount) if failures else (first.added, _time_total(cause))
    if 2 * share > total:
        return "mostly"
    return "more in" if any(one.canary.amount > first.canary.amount for one in cause.endpoints) else "most in"


def _describe_numbers(cause: EndpointCause, first: EndpointShare) -> str:
    stable = first.stable
    if cause.contribution is Contribution.FAILURES:
        failures = f"{_count(first.canary.amount)} of {_count(cause.total.amount)} failures"
        beside = f", stable {_count(stable.amount)} of {format_calls(stable.calls)}" if stable else ""
        return f"{failures}{beside}"
    time = f"{_count(first.canary.per_call)} ms on average"
    if stable is None:
        return f"{time}, {format_share(first.added, _time_total(cause))} of the response time"
    beside = f", stable {_count(stable.per_call)} ms" if stable.calls else ""
    return f"{time}{beside}, {format_share(first.added, _time_total(cause))} of the added time"


def _time_total(cause: EndpointCause) -> float:
    """Return the milliseconds that the share of an endpoint refers to."""
    return cause.added if cause.beside_stable else cause.total.amount


def _count(number: float) -> str:
    return format_thousands(round(number))


def _explains_apdex(cause: EndpointCause, failed: FailedVerdict) -> bool:
    """Return whether failures are at least half of what an Apdex score lost. Slow calls lose a part of it, too."""
    if failed.judgement is not None:
        return 2 * cause.total.amount >= failed.judgement.canary.failures
    score = failed.sample.result
    return isinstance(score, int | float) and 2 * cause.total.amount >= (1 - score) * (failed.sample.calls or 0)
