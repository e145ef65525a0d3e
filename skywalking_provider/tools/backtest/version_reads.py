"""Reads of the pods of a service and of their calls in each minute of the history."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.model import Deadline, Entity, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.metric_values import Role, SeriesRequest, decode_calls
from skywalking_provider.queries.entities import find_service, resolve_service_name
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.recorded_oap import RecordedOap
from skywalking_provider.tools.backtest.versions import PodVersion, VersionCalls, read_version

_CALLS: Final = "service_instance_cpm"
_TIMEOUT_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class ServicePods:
    """Pods of a service by version.

    Attributes:
        service: Entity of the service.
        layers: Layers of the service.
        calls: Calls of each pod by minute of the history.
    """

    service: Entity
    layers: tuple[str, ...]
    calls: Mapping[PodVersion, Mapping[str, tuple[int, ...]]]

    @property
    def versions(self) -> list[VersionCalls]:
        """Calls of each version: those of its pods."""
        return [
            VersionCalls(version, tuple(map(sum, zip(*pods.values(), strict=True))))
            for version, pods in self.calls.items()
        ]


async def read_service_pods(spec: EntityKeys, backend: Backend, recorded: RecordedOap) -> ServicePods:
    """Read the pods of a block's service.

    Args:
        spec: Block that names the service.
        backend: Replaying backend of the block.
        recorded: Recorded responses of the backend.

    Raises:
        BackendUnavailableError: The OAP is unavailable.
        ProviderError: The OAP does not list the service, or its response is not valid.
    """
    deadline = Deadline.after(_TIMEOUT_SECONDS, time.monotonic)
    services = await backend.connection.services(deadline)
    name = resolve_service_name(spec, backend.connection.config.service_name)
    service = find_service(name, spec.layer, services, backend.connection.suggest)
    window = Window(recorded.history.start, recorded.history.end)
    pods: dict[PodVersion, list[str]] = {}
    for instance in await backend.instances(service, window, deadline):
        if version := read_version(instance):
            pods.setdefault(version, []).append(instance.name)
    entity = Entity(service.name, service.normal)
    mqe = (await backend.connection.features(deadline)).supports_mqe
    calls = {
        version: await _read_calls(recorded, entity, sorted(names), mqe=mqe) for version, names in sorted(pods.items())
    }
    return ServicePods(entity, service.layers, calls)


async def _read_calls(
    recorded: RecordedOap, service: Entity, pods: Sequence[str], *, mqe: bool
) -> dict[str, tuple[int, ...]]:
    requests = [
        SeriesRequest(f"i{at}", _CALLS, Entity(service.service, service.normal, instance=pod), role=Role.CALLS)
        for at, pod in enumerate(pods)
    ]
    history = recorded.history
    calls: dict[str, list[int]] = {pod: [] for pod in pods}
    for chunk in history.chunks:
        window = chunk.window(history.zone)
        data = await recorded.series(requests, window)
        for pod, request in zip(pods, requests, strict=True):
            counts = decode_calls(data, request, window, mqe=mqe) or (0,) * window.buckets
            calls[pod] += [count or 0 for count in counts]
    first = (history.start - history.chunks[0].start) // MINUTE
    return {pod: tuple(counts[first:]) for pod, counts in calls.items()}
