"""Cause of a Failed verdict of an indicator: it is read after the verdict, which never depends on it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from skywalking_provider.analysis.cause_cache import CauseCache, CauseKey
from skywalking_provider.analysis.cause_clause import cut_name, describe_cause
from skywalking_provider.analysis.judging import Judgement
from skywalking_provider.analysis.message import join_parts
from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.block import IndicatorName
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries import CollectedSample, Query
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoints import EndpointCause
from skywalking_provider.queries.causes.reads import read_cause
from skywalking_provider.queries.causes.records import RecordSample
from skywalking_provider.queries.causes.target import CauseTarget, Contribution

_MAX_NAME: Final = 253
"""Characters of the name of an endpoint outside the message."""
_MAX_CONTENT: Final = 200
"""Characters of a log."""
_RESERVE_SECONDS: Final = 0.25
"""Part of the deadline that is left for the verdict, which is known already."""
_LAST_READ_SECONDS: Final = 0.1
"""Part of the budget after the deadline of its requests, so that a request ends by its own deadline."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CauseLimits:
    """Limits of the reads of a cause.

    Attributes:
        seconds: Time for the cause of one measurement.
        with_content: Whether the texts of logs may be read.
    """

    seconds: float = 2.0
    with_content: bool = False


@dataclass(frozen=True, slots=True)
class FailedVerdict:
    """A Failed verdict of a query, with what it was found on.

    Attributes:
        query: Query of the block.
        window: Window of the measurement.
        collected: Sample that was judged or evaluated.
        judgement: Judgement of a judged block; None for others.
    """

    query: Query
    window: Window
    collected: CollectedSample
    judgement: Judgement | None = None


async def find_cause(
    failed: FailedVerdict, backend: Backend, deadline: Deadline, limits: CauseLimits, cache: CauseCache
) -> Cause | None:
    """Return what explains a Failed verdict; None if it is not known.

    The verdict never depends on it: every error is ignored, and the time is bounded.

    Args:
        failed: The verdict.
        backend: Backend of the measurement.
        deadline: Deadline of the measurement.
        limits: Limits of the cause within the deadline.
        cache: Causes that were read before.
    """
    target = failed.query.select_cause_target(backend)
    if target is None:
        return None
    if target.service_wide:
        own = _own_amount(failed, target.contribution, averages=target.averages)
        entities = failed.collected.entities
        target = replace(target, instances=entities.instances if entities else (), own_amount=own)
    version = backend.connection.credentials_version()
    key = CauseKey(target, backend.connection.name, version, failed.window)
    cached = cache.get(key)
    if cached is None:
        try:
            cause = await _read(target, failed.window, backend, deadline, limits)
        except (ProviderError, TimeoutError):
            return None
        except Exception:  # noqa: BLE001 - the verdict is known, and must not be lost
            _log.exception("cause of a failed measurement not found", backend=backend.connection.name)
            return None
        cache.put(key, cause, backend)
    else:
        cause = cached.cause
    if cause is not None and target.indicator is IndicatorName.APDEX and not _explains_apdex(cause, failed):
        return None
    return cause


async def _read(
    target: CauseTarget, window: Window, backend: Backend, deadline: Deadline, limits: CauseLimits
) -> Cause | None:
    """Read a cause within its own limits, and make its texts safe."""
    budget = Deadline.after(limits.seconds, deadline.monotonic)
    within = min(budget, deadline.minus(_RESERVE_SECONDS), key=lambda one: one.at)
    reads = within.minus(_LAST_READ_SECONDS)
    async with asyncio.timeout(within.remaining):
        cause = await read_cause(target, backend, window, reads, with_content=limits.with_content)
    return _sanitize(cause, backend.connection.redactor) if cause else None


def add_cause(verdict: Verdict, cause: Cause | None) -> Verdict:
    """Return the verdict with the clause of its cause at the end of its text."""
    clause = describe_cause(cause) if cause else ""
    return replace(verdict, detail=join_parts(verdict.detail, clause)) if clause else verdict


def _own_amount(failed: FailedVerdict, contribution: Contribution, *, averages: bool) -> float | None:
    """Return the failed calls of the canary, or the milliseconds of all its calls; None if they are unknown."""
    if contribution is Contribution.TIME and not averages:
        return None
    if failed.judgement is not None:
        canary = failed.judgement.canary
        return canary.failures if contribution is Contribution.FAILURES else canary.value * canary.calls
    result, calls = failed.collected.sample.result, failed.collected.sample.calls
    if not isinstance(result, int | float) or calls is None:
        return None
    return (1 - result) * calls if contribution is Contribution.FAILURES else result * calls


def _explains_apdex(cause: Cause, failed: FailedVerdict) -> bool:
    """Return whether failures are at least half of what an Apdex score lost. Slow calls lose a part of it, too."""
    if cause.endpoints is None:
        return False
    failures = 2 * cause.endpoints.total.amount
    if failed.judgement is not None:
        return failures >= failed.judgement.canary.failures
    score = failed.collected.sample.result
    return isinstance(score, int | float) and failures >= (1 - score) * (failed.collected.sample.calls or 0)


def _sanitize(cause: Cause, redact: Callable[[str], str]) -> Cause:
    """Return the cause with texts that every exit may show. A secret is redacted before its text can be cut."""

    def name(text: str) -> str:
        return cut_name(redact(text), _MAX_NAME)

    return replace(
        cause,
        endpoints=_sanitize_endpoints(cause.endpoints, name) if cause.endpoints else None,
        records=_sanitize_records(cause.records, redact, name) if cause.records else None,
    )


def _sanitize_endpoints(endpoints: EndpointCause, name: Callable[[str], str]) -> EndpointCause:
    return replace(endpoints, endpoints=tuple(replace(one, name=name(one.name)) for one in endpoints.endpoints))


def _sanitize_records(records: RecordSample, redact: Callable[[str], str], name: Callable[[str], str]) -> RecordSample:
    """Return traces and logs with safe texts. The id of a trace has no characters to replace."""
    return replace(
        records,
        endpoints=tuple((name(endpoint), traces) for endpoint, traces in records.endpoints),
        traces=tuple(
            replace(one, endpoint=name(one.endpoint)) for one in records.traces if redact(one.trace_id) == one.trace_id
        ),
        logs=tuple(
            replace(
                one,
                trace_id=one.trace_id if redact(one.trace_id) == one.trace_id else "",
                endpoint=name(one.endpoint),
                content=cut_name(redact(one.content), _MAX_CONTENT),
            )
            for one in records.logs
        ),
    )
