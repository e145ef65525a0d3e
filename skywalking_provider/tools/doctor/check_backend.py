"""Check of one OAP as the service uses it: access, clock, version, metrics and services."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet
from skywalking_provider.oap import Backend, open_backends
from skywalking_provider.oap.api.alarms import AlarmFeatures
from skywalking_provider.oap.api.data_ttl import METRICS_TTL_REQUEST, parse_metrics_ttl
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.server_time import MAX_CLOCK_SKEW, ServerClock
from skywalking_provider.queries.indicators.metric_names import resolve_scope_metrics
from skywalking_provider.queries.indicators.registry import INDICATORS
from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.doctor.check_events import check_events
from skywalking_provider.tools.doctor.findings import Finding, Section, note, ok, problem, unreachable

TIMEOUT_SECONDS = 10.0
"""Timeout of all requests to one OAP together."""

_SKEW_NOTE = timedelta(seconds=5)
_VERSION = GraphqlRequest("query { version }", {})


async def check_backend(name: str, config: BackendConfig, now: datetime | None = None) -> Section:
    """Check one OAP.

    Args:
        name: Name of the backend.
        config: Configuration of the backend. Its `allowedNamespaces` and `retries` are ignored.
        now: Local time; by default that of the system.
    """
    unrestricted = config.model_copy(update={"allowed_namespaces": None, "retries": 0})
    findings: list[Finding] = []
    async with open_backends({name: unrestricted}, lambda: now or datetime.now(UTC)) as backends:
        backend = backends.select(name, None, None)
        try:
            async for finding in _findings(backend, config, Deadline.after(TIMEOUT_SECONDS), now or datetime.now(UTC)):
                findings.append(finding)  # noqa: PERF401 - findings before an error are kept
        except ProviderError as error:
            findings.append(_error_finding(error, name, config))
    return Section("backend", f"{name} {config.url}", tuple(findings))


async def _findings(
    backend: Backend, config: BackendConfig, deadline: Deadline, now: datetime
) -> AsyncIterator[Finding]:
    began = time.monotonic()
    clock = await backend.connection.time(deadline)
    yield ok(f"it responds ({(time.monotonic() - began) * 1000:.0f} ms){_describe_security(config)}")
    for finding in _clock_findings(clock, config, now):
        yield finding
    yield await _version_finding(backend, deadline)
    async for finding in _inventory_findings(backend, deadline):
        yield finding
    async for finding in _ttl_findings(backend, deadline):
        yield finding
    yield ok(f"blocks of alarms: {describe_alarm_features(await backend.connection.alarm_features(deadline))}")
    if config.events.enabled:
        yield await check_events(backend.connection.name, config, deadline.remaining)


def _describe_security(config: BackendConfig) -> str:
    parts = [
        "over TLS" if config.url.startswith("https://") else "",
        "and accepts the credentials" if config.basic or config.bearer or config.headers else "",
    ]
    return "".join(f" {part}" for part in parts if part)


def _clock_findings(clock: ServerClock, config: BackendConfig, now: datetime) -> list[Finding]:
    server_time = clock.to_server(now)
    seconds = clock.offset.total_seconds()
    message = (
        f"its clock is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} the local clock, "
        f"time zone {server_time:%z}"
    )
    if abs(clock.offset) >= MAX_CLOCK_SKEW:
        findings = [problem(message, "Synchronize the clocks by NTP: windows use both")]
    elif abs(clock.offset) >= _SKEW_NOTE:
        findings = [note(message, "Synchronize the clocks by NTP")]
    else:
        findings = [ok(message)]
    zone = config.timezone
    if zone and server_time.astimezone(zone).utcoffset() != server_time.utcoffset():
        findings.append(
            problem(f"timezone: {zone} is not that of the OAP, and is not used", "Correct the key, or remove it")
        )
    return findings


async def _version_finding(backend: Backend, deadline: Deadline) -> Finding:
    features = await backend.connection.features(deadline)
    try:
        version = f"version {(await backend.read(_VERSION, deadline)).get('version') or 'unknown'}"
    except ProviderError as error:
        if isinstance(error, BackendUnavailableError):
            raise
        version = "version unknown"
    if features.supports_mqe and features.supports_nullable:
        return ok(f"{version}: supports expressions and absent minutes")
    return note(
        f"{version}: before 9.5, no expressions; absent minutes are detected by additional reads",
        "Blocks with `expression` need OAP 9.5 or newer",
    )


async def _inventory_findings(backend: Backend, deadline: Deadline) -> AsyncIterator[Finding]:
    metrics = frozenset(await backend.connection.metrics(deadline))
    missing = _missing_metrics(metrics)
    if not metrics:
        yield note("it has no metrics yet", "Check that agents or Istio report to it")
    elif missing:
        yield note(
            f"{format_count(len(metrics), 'metric')}, but none for {', '.join(missing)}",
            "Define them in OAL to use this sli",
        )
    else:
        yield ok(f"{format_count(len(metrics), 'metric')}, including those of every sli")
    if metrics and (missing := _missing_instance_metrics(metrics)):
        yield note(
            f"it has no {', '.join(missing)}, which blocks with instances need, such as judged ones by podTemplateHash",
            "Define them in OAL, as OAP's core.oal does",
        )
    services = await backend.connection.services(deadline)
    layers = Counter(layer for service in services for layer in service.layers)
    if services:
        by_layer = ", ".join(f"{count} {layer}" for layer, count in layers.most_common(5))
        yield ok(f"{format_count(len(services), 'service')} ({by_layer})")
    else:
        yield note("it has no services yet", "Check that agents or Istio report to it")


async def _ttl_findings(backend: Backend, deadline: Deadline) -> AsyncIterator[Finding]:
    """Yield how long minutes are kept, unless the OAP does not report it."""
    if not (await backend.connection.features(deadline)).reports_ttl:
        return
    ttl = parse_metrics_ttl(await backend.read(METRICS_TTL_REQUEST, deadline))
    if ttl is not None:
        yield ok(f"it keeps minutes for {format_count(ttl.days, 'day')} (TTL)")


def describe_alarm_features(features: AlarmFeatures) -> str:
    """Return what the OAP reports about alarms."""
    rule = "it selects them by rule" if features.selects_rules else "it reports the rule only in the message or a tag"
    return f"{rule}, and {'reports the recovery' if features.reports_recovery else 'reports no recovery'}"


def _missing_metrics(known: frozenset[str]) -> list[str]:
    names = resolve_scope_metrics(EntitySet((Entity("any"),)))
    return [name.value for name, one in INDICATORS.items() if known.isdisjoint(one.metrics(names))]


def _missing_instance_metrics(known: frozenset[str]) -> list[str]:
    names = resolve_scope_metrics(EntitySet((Entity("any", instance="any"),)))
    return [one[0] for one in (names.calls, names.success_rate, names.latency) if known.isdisjoint(one)]


def _error_finding(error: ProviderError, name: str, config: BackendConfig) -> Finding:
    match error:
        case BackendUnavailableError():
            if error.kind is FailureKind.DNS:
                hint = "Check the name; a Service of another namespace is NAME.NAMESPACE"
            elif error.kind is FailureKind.UNTRUSTED_CERTIFICATE:
                hint = error.hint or f"Name the CA of its certificate in backends.{name}.tls.caFile"
            else:
                hint = (
                    error.hint or f"Check that it runs, that {config.url} is right, and that no NetworkPolicy blocks it"
                )
            return unreachable(error.message, hint)
        case ProviderError(reason=Reason.OAP_REJECTED | Reason.OAP_RESPONSE_INVALID):
            return unreachable(error.message, error.hint or "Check that it is the REST port (12800) of an OAP")
    return problem(error.message, error.hint or "Check that it is an OAP")
