"""Reads of a service's past: its layers, pods, versions and minutes."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from skywalking_provider.block import IndicatorName
from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet, Window
from skywalking_provider.oap import Backend, BackendRegistry
from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.queries.entities import find_service
from skywalking_provider.queries.indicators.base import BucketValue
from skywalking_provider.queries.indicators.registry import judged_indicator_for
from skywalking_provider.queries.sides import SideMinute
from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.backtest.chunk_cache import ChunkCache
from skywalking_provider.tools.backtest.entity_rows import read_entity_rows
from skywalking_provider.tools.backtest.history import MINUTE, History, floor_minute
from skywalking_provider.tools.backtest.live_reads import LiveReads, ReadProgress
from skywalking_provider.tools.backtest.model import BacktestError
from skywalking_provider.tools.backtest.pod_split import count_pods
from skywalking_provider.tools.backtest.recorded_oap import RecordedOap
from skywalking_provider.tools.backtest.replay_backend import ReplayConnection, ReplayRegistry, VirtualClock
from skywalking_provider.tools.backtest.version_reads import ServicePods, read_service_pods
from skywalking_provider.tools.backtest.versions import read_version
from skywalking_provider.tools.suggest.model import NoTrafficError, SuggestOptions, Survey

INDICATORS: Final = (IndicatorName.SUCCESS_RATE, IndicatorName.LATENCY)
"""Indicators of instances and of services that can be judged."""
_TIMEOUT_SECONDS: Final = 60.0
_READ_SECONDS: Final = 24 * 3600.0
_MOST_NAMED: Final = 2


@dataclass(frozen=True, slots=True)
class _Recording:
    """The OAP of a service with the minutes that were read."""

    backend: Backend
    recorded: RecordedOap


async def survey_service(
    options: SuggestOptions,
    backends: BackendRegistry,
    configs: Mapping[str, BackendConfig],
    progress: ReadProgress,
    now: Callable[[], datetime],
) -> Survey:
    """Read the past of a service.

    Args:
        options: Options with the service.
        backends: Connected backends of the configuration.
        configs: Their configurations.
        progress: Counts the reads.
        now: Clock of this process.

    Raises:
        NoTrafficError: The service has no calls.
        BacktestError: The OAP cannot be read.
        ProviderError: The backend or the service does not exist, or the OAP's response is not valid.
    """
    recording = await _open_recording(options, backends, configs, progress, now)
    backend, recorded = recording.backend, recording.recorded
    try:
        return await _survey(options, backend, recorded)
    except ProviderError as error:
        if recorded.failure is None:
            raise
        raise BacktestError(
            f"backend {backend.connection.name} cannot be read: {recorded.failure}. Call the command again:"
            f" {progress.complete} reads are complete and cached"
        ) from error


async def _open_recording(
    options: SuggestOptions,
    backends: BackendRegistry,
    configs: Mapping[str, BackendConfig],
    progress: ReadProgress,
    now: Callable[[], datetime],
) -> _Recording:
    namespace = options.namespace or "default"
    live = backends.select(options.backend, None, namespace)
    config = configs[live.connection.name]
    deadline = Deadline.after(_TIMEOUT_SECONDS, time.monotonic)
    clock = await live.connection.time(deadline)
    end = floor_minute(clock.to_server(now()).astimezone(UTC) - config.settle)
    mqe = (await live.connection.features(deadline)).supports_mqe
    recorded = RecordedOap(
        LiveReads(live, options.max_requests, progress, mqe=mqe),
        ChunkCache(options.cache, config.url),
        History(end - options.since, end, clock.zone),
    )
    connection = ReplayConnection(live.connection.name, config, recorded, VirtualClock(end))
    registry = ReplayRegistry(backends.select, {connection.name: connection})
    return _Recording(registry.select(options.backend, None, namespace), recorded)


async def _survey(options: SuggestOptions, backend: Backend, recorded: RecordedOap) -> Survey:
    keys = EntityKeys.model_validate({"service": options.service, "layer": options.layer})
    deadline = Deadline.after(_READ_SECONDS, time.monotonic)
    services = await backend.connection.services(deadline)
    service = find_service(options.service, options.layer, services, backend.connection.suggest)
    history = recorded.history
    instances = await backend.instances(service, Window(history.start, history.end), deadline)
    unnamed = [one.name for one in instances if read_version(one) is None]
    pods = await read_service_pods(keys, backend, recorded)
    named = any(any(calls) for of_version in pods.calls.values() for calls in of_version.values())
    entities = _select_entities(pods, instances if named else ())
    minutes, lacking = await _read_minutes(entities, backend, recorded, deadline)
    positions = [at for of_indicator in minutes.values() for at in of_indicator]
    if not positions:
        raise NoTrafficError(_describe_no_traffic(options, instances, lacking))
    return Survey(
        service.name,
        service.layers,
        history,
        minutes,
        min(positions),
        len(instances),
        tuple(one for one in pods.versions if any(one.calls)),
        count_pods({version: _with_calls(of_version) for version, of_version in pods.calls.items()}),
        tuple(sorted(unnamed)[:_MOST_NAMED]),
        len(unnamed),
        tuple(lacking),
    )


def _with_calls(pods: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name: calls for name, calls in pods.items() if any(calls)}


def _select_entities(pods: ServicePods, instances: Sequence[InventoryInstance]) -> EntitySet:
    """Return the instances of a service, or the service itself without instances."""
    entity = pods.service
    if not instances:
        return EntitySet((entity,), pods.layers)
    names = sorted(one.name for one in instances)
    return EntitySet(tuple(Entity(entity.service, entity.normal, instance=name) for name in names), pods.layers)


async def _read_minutes(
    entities: EntitySet, backend: Backend, recorded: RecordedOap, deadline: Deadline
) -> tuple[dict[IndicatorName, Mapping[int, SideMinute]], list[str]]:
    """Return the minutes of the whole service by indicator, and messages about metrics that the OAP lacks."""
    minutes, lacking = dict[IndicatorName, Mapping[int, SideMinute]](), list[str]()
    for name in INDICATORS:
        indicator = judged_indicator_for(name)
        try:
            rows = await read_entity_rows(indicator, entities, backend, recorded, deadline)
        except ProviderError as error:
            if error.reason is not Reason.METRIC_UNAVAILABLE:
                raise
            lacking.append(f"{name} is left out: {error}")
            continue
        by_minute: dict[int, list[BucketValue]] = {}
        for position, row in _positions(rows.values(), recorded.history):
            by_minute.setdefault(position, []).append(row)
        minutes[name] = {at: indicator.summarize_minute(of_minute) for at, of_minute in sorted(by_minute.items())}
    return minutes, lacking


def _positions(rows: Iterable[Mapping[datetime, BucketValue]], history: History) -> Iterable[tuple[int, BucketValue]]:
    start = history.start.astimezone(UTC)
    for of_entity in rows:
        for minute, row in of_entity.items():
            if minute >= start:
                yield (minute - start) // MINUTE, row


def _describe_no_traffic(
    options: SuggestOptions, instances: Sequence[InventoryInstance], lacking: Sequence[str]
) -> str:
    if len(lacking) == len(INDICATORS):
        return f"--service: no indicator of {options.service!r} can be measured: {'; '.join(lacking)}"
    hours = options.since / timedelta(hours=1)
    listed = f" and {format_count(len(instances), 'instance')} of it" if instances else ""
    return (
        f"--service: {options.service!r} has no calls in the last {hours:g} h: the OAP lists the service{listed},"
        f" and has no minute with calls. Send calls to it, or set a longer --since"
    )
