"""One OAP, asked as the service asks it: is it there, does it know us, what does it understand, and what is in it?"""

import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet
from skywalking_provider.oap import Backend, open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.server_time import ServerClock
from skywalking_provider.queries.indicators.metric_names import resolve_scope_metrics
from skywalking_provider.queries.indicators.registry import INDICATORS
from skywalking_provider.tools.doctor.findings import Finding, Section, note, ok, problem, unreachable

TIMEOUT_SECONDS = 10.0
"""How long one OAP may take for all questions."""

_SKEW_NOTE = timedelta(seconds=5)
_SKEW_PROBLEM = timedelta(seconds=60)
_VERSION = GraphqlRequest("query { version }", {})


async def check_backend(name: str, config: BackendConfig, now: datetime | None = None) -> Section:
    """Look at one OAP.

    Args:
        name: As configured.
        config: Whom it serves does not matter here.
        now: Our clock; by default the system's.
    """
    everybody = config.model_copy(update={"allowed_namespaces": None, "retries": 0})
    findings: list[Finding] = []
    async with open_backends({name: everybody}, lambda: now or datetime.now(UTC)) as backends:
        asked = backends.select(name, None, None)
        try:
            async for finding in _findings(asked, config, Deadline.after(TIMEOUT_SECONDS), now or datetime.now(UTC)):
                findings.append(finding)  # noqa: PERF401 - what was found before a trouble is kept
        except ProviderError as error:
            findings.append(_error_finding(error, name, config))
    return Section("backend", f"{name} {config.url}", tuple(findings))


async def _findings(
    backend: Backend, config: BackendConfig, deadline: Deadline, now: datetime
) -> AsyncIterator[Finding]:
    began = time.monotonic()
    clock = await backend.connection.time(deadline)
    yield ok(f"it answers ({(time.monotonic() - began) * 1000:.0f} ms){_describe_security(config)}")
    for finding in _clock_findings(clock, config, now):
        yield finding
    yield await _version_finding(backend, deadline)
    async for finding in _inventory_findings(backend, deadline):
        yield finding


def _describe_security(config: BackendConfig) -> str:
    known = [
        "over TLS" if config.url.startswith("https://") else "",
        "and takes our credentials" if config.basic or config.bearer or config.headers else "",
    ]
    return "".join(f" {words}" for words in known if words)


def _clock_findings(clock: ServerClock, config: BackendConfig, now: datetime) -> list[Finding]:
    theirs = clock.to_server(now)
    seconds = clock.offset.total_seconds()
    away = f"its clock is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} ours, zone {theirs:%z}"
    if abs(clock.offset) >= _SKEW_PROBLEM:
        found = [problem(away, "set the clocks by NTP: windows follow the OAP's, the runs' starts follow ours")]
    elif abs(clock.offset) >= _SKEW_NOTE:
        found = [note(away, "set the clocks by NTP")]
    else:
        found = [ok(away)]
    zone = config.timezone
    if zone and theirs.astimezone(zone).utcoffset() != theirs.utcoffset():
        found.append(
            problem(f"timezone: {zone} is not the OAP's, and is not used", "name the OAP's zone, or take the key out")
        )
    return found


async def _version_finding(backend: Backend, deadline: Deadline) -> Finding:
    dialect = await backend.connection.features(deadline)
    try:
        version = f"version {(await backend.read(_VERSION, deadline)).get('version') or 'unknown'}"
    except ProviderError as error:
        if isinstance(error, BackendUnavailableError):
            raise
        version = "version unknown"
    if dialect.supports_mqe and dialect.supports_nullable:
        return ok(f"{version}: metrics query expressions, absent minutes can be told from zeros")
    return note(
        f"{version}: no metrics query expressions, absent minutes are told by companion reads (before 9.5)",
        "blocks with `expression` need OAP 9.5 or newer",
    )


async def _inventory_findings(backend: Backend, deadline: Deadline) -> AsyncIterator[Finding]:
    metrics = frozenset(await backend.connection.metrics(deadline))
    missing = _missing_metrics(metrics)
    if not metrics:
        yield note("it knows no metric yet", "does anything report to it?")
    elif missing:
        yield note(f"{len(metrics)} metrics, but none for {', '.join(missing)}", "an sli of these needs OAL for it")
    else:
        yield ok(f"{len(metrics)} metrics, those of every sli among them")
    services = await backend.connection.services(deadline)
    layers = Counter(layer for service in services for layer in service.layers)
    if services:
        told = ", ".join(f"{count} {layer}" for layer, count in layers.most_common(5))
        yield ok(f"{len(services)} services ({told})")
    else:
        yield note("it knows no service yet", "does anything report to it?")


def _missing_metrics(known: frozenset[str]) -> list[str]:
    names = resolve_scope_metrics(EntitySet((Entity("any"),)))
    return [name.value for name, one in INDICATORS.items() if known.isdisjoint(one.metrics(names))]


def _error_finding(error: ProviderError, name: str, config: BackendConfig) -> Finding:
    match error:
        case BackendUnavailableError():
            if error.kind is FailureKind.DNS:
                remedy = "is the name right? A Service of another namespace is NAME.NAMESPACE"
            elif error.kind is FailureKind.UNTRUSTED_CERTIFICATE:
                remedy = error.hint or f"name the authority of its certificate in backends.{name}.tls.caFile"
            else:
                remedy = error.hint or f"is it running, is {config.url} right, may this pod reach it (NetworkPolicy)?"
            return unreachable(error.message, remedy)
        case ProviderError(reason=Reason.OAP_REJECTED | Reason.OAP_RESPONSE_INVALID):
            return unreachable(error.message, error.hint or "is it the REST port (12800) of an OAP?")
    return problem(error.message, error.hint or "is it an OAP?")
