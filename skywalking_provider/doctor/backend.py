"""One OAP, asked as the service asks it: is it there, does it know us, what does it understand, and what is in it?"""

import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from skywalking_provider.config import BackendConfig
from skywalking_provider.doctor.findings import Finding, Section, note, ok, problem, unreachable
from skywalking_provider.errors import BackendAway, ProviderError, Reason
from skywalking_provider.forms.calls import names_of
from skywalking_provider.model import Deadline, Entities, Entity, OapTime
from skywalking_provider.oap import Backend, open_backends
from skywalking_provider.plan import Read

SECONDS = 10.0
"""How long one OAP may take for all questions."""

_SKEW_NOTED = timedelta(seconds=5)
_SKEW_PROBLEM = timedelta(seconds=60)
_VERSION = Read("query { version }", {})


async def backend(name: str, config: BackendConfig, now: datetime | None = None) -> Section:
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
            async for finding in _findings(asked, config, Deadline.after(SECONDS), now or datetime.now(UTC)):
                findings.append(finding)  # noqa: PERF401 - what was found before a trouble is kept
        except ProviderError as error:
            findings.append(_trouble(error, name, config))
    return Section("backend", f"{name} {config.url}", tuple(findings))


async def _findings(asked: Backend, config: BackendConfig, deadline: Deadline, now: datetime) -> AsyncIterator[Finding]:
    began = time.monotonic()
    clock = await asked.time(deadline)
    yield ok(f"it answers ({(time.monotonic() - began) * 1000:.0f} ms){_secured(config)}")
    for finding in _clock(clock, config, now):
        yield finding
    yield await _version(asked, deadline)
    async for finding in _contents(asked, deadline):
        yield finding


def _secured(config: BackendConfig) -> str:
    known = [
        "over TLS" if config.url.startswith("https://") else "",
        "and takes our credentials" if config.basic or config.bearer or config.headers else "",
    ]
    return "".join(f" {words}" for words in known if words)


def _clock(clock: OapTime, config: BackendConfig, now: datetime) -> list[Finding]:
    theirs = clock.at(now)
    seconds = clock.ahead.total_seconds()
    away = f"its clock is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} ours, zone {theirs:%z}"
    if abs(clock.ahead) >= _SKEW_PROBLEM:
        found = [problem(away, "set the clocks by NTP: windows follow the OAP's, the runs' starts follow ours")]
    elif abs(clock.ahead) >= _SKEW_NOTED:
        found = [note(away, "set the clocks by NTP")]
    else:
        found = [ok(away)]
    zone = config.timezone
    if zone and theirs.astimezone(zone).utcoffset() != theirs.utcoffset():
        found.append(
            problem(f"timezone: {zone} is not the OAP's, and is not used", "name the OAP's zone, or take the key out")
        )
    return found


async def _version(asked: Backend, deadline: Deadline) -> Finding:
    dialect = await asked.dialect(deadline)
    try:
        version = f"version {(await asked.read(_VERSION, deadline)).get('version') or 'unknown'}"
    except ProviderError as error:
        if isinstance(error, BackendAway):
            raise
        version = "version unknown"
    if dialect.mqe and dialect.nullable:
        return ok(f"{version}: metrics query expressions, absent minutes can be told from zeros")
    return note(
        f"{version}: no metrics query expressions, absent minutes are told by companion reads (before 9.5)",
        "blocks with `expression` need OAP 9.5 or newer",
    )


async def _contents(asked: Backend, deadline: Deadline) -> AsyncIterator[Finding]:
    metrics = frozenset(await asked.metrics(deadline))
    missing = _missing_metrics(metrics)
    if not metrics:
        yield note("it knows no metric yet", "does anything report to it?")
    elif missing:
        yield note(f"{len(metrics)} metrics, but none for {', '.join(missing)}", "an sli of these needs OAL for it")
    else:
        yield ok(f"{len(metrics)} metrics, those of every sli among them")
    services = await asked.services(deadline)
    layers = Counter(layer for service in services for layer in service.layers)
    if services:
        told = ", ".join(f"{count} {layer}" for layer, count in layers.most_common(5))
        yield ok(f"{len(services)} services ({told})")
    else:
        yield note("it knows no service yet", "does anything report to it?")


def _missing_metrics(known: frozenset[str]) -> list[str]:
    names = names_of(Entities((Entity("any"),)))
    wanted = {
        "success-rate": names.success_rate,
        "apdex": names.apdex,
        "latency": names.latency,
        "throughput": names.calls,
    }
    return [sli for sli, candidates in wanted.items() if known.isdisjoint(candidates)]


def _trouble(error: ProviderError, name: str, config: BackendConfig) -> Finding:
    match error:
        case BackendAway():
            if "not known to DNS" in error.what:
                remedy = "is the name right? A Service of another namespace is NAME.NAMESPACE"
            elif "certificate" in error.what:
                remedy = error.remedy or f"name the authority of its certificate in backends.{name}.tls.caFile"
            else:
                remedy = error.remedy or f"is it running, is {config.url} right, may this pod reach it (NetworkPolicy)?"
            return unreachable(error.what, remedy)
        case ProviderError(reason=Reason.OAP_REJECTED | Reason.OAP_RESPONSE_INVALID):
            return unreachable(error.what, error.remedy or "is it the REST port (12800) of an OAP?")
    return problem(error.what, error.remedy or "is it an OAP?")
