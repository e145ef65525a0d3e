"""Pods of an earlier version whose calls an OAP counts for the canary's name.

An OAP can name services by labels of pods, such as `canary|reviews|bookinfo`. Argo changes the label when a canary
becomes stable, and an OAP that is fed by Envoy's access logs (`k8s-mesh`) keeps the old name for up to five minutes.
The minutes in which such a pod has calls are excluded. See docs/adr/0015-exclude-calls-of-relabeled-pods.md.

Only `end_of_earlier_calls` sends requests. The other functions are pure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from skywalking_provider.errors import BackendUnavailableError, ProviderError
from skywalking_provider.model import Deadline, Entity, Run, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.inventory import InventoryInstance, InventoryService, ServiceInventory
from skywalking_provider.oap.api.metric_values import Role, SeriesRequest, decode_calls
from skywalking_provider.queries.instance_selection import is_pod_of_other_version

OLD_NAME_LASTS: Final = timedelta(minutes=5)
"""How long an OAP keeps the name of a pod after its label changed: the lifetime of its cache of pods."""

_CANARY: Final = r"canary|preview"
_LAYER: Final = "MESH"
_CALLS: Final = "service_instance_cpm"
_MAX_PODS: Final = 100  # of all versions but the canary's; more would delay the measurement itself


@dataclass(frozen=True, slots=True)
class EarlierCalls:
    """Calls of pods of an earlier version in a window.

    Attributes:
        end: End of the last minute with such calls.
        pods: Names of the pods, sorted.
    """

    end: datetime
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PodCalls:
    """Calls of one pod by bucket; None is an absent bucket."""

    pod: str
    calls: tuple[int | None, ...]


def count_affected_buckets(window: Window, run_started_at: datetime) -> int:
    """Return the number of buckets, from the start of a window, in which an OAP may still use a pod's old name.

    Args:
        window: Window of the measurement.
        run_started_at: Start of the run on the OAP's clock. The labels of earlier pods changed before.
    """
    buckets = -((window.start.astimezone(UTC) - run_started_at.astimezone(UTC) - OLD_NAME_LASTS) // window.step)
    return max(0, min(buckets, window.buckets))


def has_canary_name(service: str, run: Run) -> bool:
    """Return whether a service is named after the role of its pods: `canary` or `preview` is a part of its name.

    The name of the rollout and of its namespace do not count: they do not depend on a label.
    """
    fixed = "|".join(re.escape(name) for name in (run.owner_name, run.namespace) if name)
    parts = _remove_parts(service, fixed) if fixed else service
    return _remove_parts(parts, _CANARY) != parts


def find_earlier_pods(instances: Iterable[InventoryInstance], run: Run) -> list[str]:
    """Return the names of the instances that are pods of the run's rollout in another version, sorted."""
    earlier = (one.name for one in instances if is_pod_of_other_version(one, run.pod_template_hash, run.owner_name))
    return sorted(set(earlier))[:_MAX_PODS]


async def end_of_earlier_calls(
    names: Sequence[str],
    *,
    any_name: bool,
    run: Run,
    backend: Backend,
    window: Window,
    affected_buckets: int,
    deadline: Deadline,
) -> EarlierCalls | None:
    """Return the last calls of earlier pods that the OAP counts for one of these services; None if there are none.

    Args:
        names: Services that the block measures by name, without a selection of instances.
        any_name: Whether names without `canary` or `preview` can depend on a label, too (`earlierPods: exclude`).
        run: Run of the measurement. Without its rollout and hash, no version is known.
        backend: Backend of the services.
        window: Window of the measurement. An OAP before 9.5 needs two minutes at least, so all of it is read.
        affected_buckets: Number of its buckets that count.
        deadline: Deadline of the requests.

    Raises:
        BackendUnavailableError: The backend did not respond.
    """
    if not run.pod_template_hash or not run.owner_name or not affected_buckets:
        return None
    by_label = [name for name in dict.fromkeys(names) if any_name or has_canary_name(name, run)]
    found: list[PodCalls] = []
    try:
        for service in (
            _select_services(by_label, await backend.connection.services(deadline), any_layer=any_name)
            if by_label
            else ()
        ):
            pods = find_earlier_pods(await backend.instances(service, window, deadline), run)
            found += await _read_calls(service, pods, backend, window, deadline) if pods else ()
    except BackendUnavailableError:
        raise
    except ProviderError:  # an OAP without these metrics: the instances cannot be compared
        return None
    return summarize_calls(found, window, affected_buckets)


def summarize_calls(found: Sequence[PodCalls], window: Window, affected_buckets: int) -> EarlierCalls | None:
    """Return the last minute in which a pod has calls, and the pods that have any; None without calls."""
    last = {
        one.pod: max((at for at, count in enumerate(one.calls[:affected_buckets]) if count), default=None)
        for one in found
    }
    ends = {pod: at for pod, at in last.items() if at is not None}
    return EarlierCalls(window.bucket_start(max(ends.values()) + 1), tuple(sorted(ends))) if ends else None


async def _read_calls(
    service: InventoryService, pods: Sequence[str], backend: Backend, window: Window, deadline: Deadline
) -> list[PodCalls]:
    requests = [
        SeriesRequest(f"i{at}", _CALLS, Entity(service.name, service.normal, instance=pod), role=Role.CALLS)
        for at, pod in enumerate(pods)
    ]
    mqe = (await backend.connection.features(deadline)).supports_mqe
    batch = await backend.series(requests, window, deadline, mqe=mqe)
    return await backend.process(batch.size, _decode_calls, requests, window, batch.data, mqe=mqe)


def _decode_calls(
    requests: Sequence[SeriesRequest], window: Window, data: Mapping[str, Any], *, mqe: bool
) -> list[PodCalls]:
    return [PodCalls(one.entity.name, decode_calls(data, one, window, mqe=mqe)) for one in requests]


def _remove_parts(name: str, pattern: str) -> str:
    """Remove the parts of a name, between characters other than letters and digits, that match a pattern."""
    return re.sub(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", "", name, flags=re.IGNORECASE)


def _select_services(
    names: Sequence[str], services: ServiceInventory, *, any_layer: bool
) -> Iterator[InventoryService]:
    """Yield the services of a mesh with these names. The names of others usually come from their agents."""
    for name in names:
        for service in services.by_name.get(name, ()):
            if service.normal and (any_layer or _LAYER in service.layers):
                yield service
