"""Resolution of the entity that a block selects: service, endpoint or instances.

Only `resolve_entities` sends requests. The other functions are pure: OAP's lists are arguments.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import re2

from skywalking_provider.block import EntityKeys, EntitySpec, Instances, JudgedSpec
from skywalking_provider.errors import EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.inventory import MAX_ENDPOINTS, InventoryInstance, InventoryService, ServiceInventory
from skywalking_provider.queries.base import QueryDescription
from skywalking_provider.queries.instance_selection import describe_instances, select_by_hash
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.service_names import format_service_name
from skywalking_provider.support.suggester import Suggest
from skywalking_provider.support.suggestions import did_you_mean

ListInstances = Callable[[InventoryService], Awaitable[Sequence[InventoryInstance]]]
"""Returns the instances of a service in the window of a measurement."""

_FULL_LENGTH_NOTE: Final = " (63-character pod names, which pods of an Experiment may have, too)"


async def resolve_entities(
    spec: EntityKeys, backend: Backend, list_instances: ListInstances, deadline: Deadline
) -> EntitySet:
    """Find the entities of a spec in the OAP's inventory.

    Args:
        spec: Block of the metric.
        backend: Backend of the block.
        list_instances: Returns the instances of a service, if the spec selects some.
        deadline: Deadline of the requests.

    Raises:
        EntityNotFoundError: OAP does not list the entity.
        ProviderError: The service name cannot be built, or OAP's response is invalid.
    """
    name, suggest = resolve_service_name(spec, backend.connection.config.service_name), backend.connection.suggest
    services = await backend.connection.services(deadline)
    if _match_service(name, spec.layer, services) is None:  # the cached list may be older than the service
        services = await backend.connection.services(deadline, fresh=True)
    service = find_service(name, spec.layer, services, suggest)
    layers = tuple(sorted(service.layers, key=lambda layer: layer != spec.layer))
    if spec.endpoint is not None:
        known = await backend.endpoints(service, spec.endpoint, deadline)
        others = () if spec.endpoint in known else await backend.endpoints(service, "", deadline)
        endpoint = find_endpoint(spec.endpoint, service.name, known, others, suggest)
        return EntitySet((Entity(service.name, service.normal, endpoint=endpoint),), layers)
    if spec.instances is None:
        return EntitySet((Entity(service.name, service.normal),), layers)
    listed = await list_instances(service)
    names, selector = _select(spec.instances, service.name, listed)
    instances = tuple(Entity(service.name, service.normal, instance=one) for one in names)
    return EntitySet(instances, layers, selector)


def services_by_name(spec: EntityKeys, backend: Backend) -> tuple[str, ...]:
    """Return the name of a spec's service unless it selects instances.

    Raises:
        ProviderError: The service name cannot be built.
    """
    return () if spec.instances else (resolve_service_name(spec, backend.connection.config.service_name),)


def resolve_service_name(spec: EntityKeys, pattern: str) -> str:
    """Return the name of a spec's service.

    Args:
        spec: Block of the metric.
        pattern: The backend's pattern for names that are given in parts.

    Raises:
        ProviderError: BLOCK_INVALID, if the pattern needs a part that the block does not have.
    """
    if isinstance(spec.service, str):
        return spec.service
    try:
        return format_service_name(spec.service.model_dump(exclude_none=True), pattern)
    except ValueError as error:
        raise ProviderError(Reason.BLOCK_INVALID, f"the block of the metric is invalid: {error}") from error


def find_service(
    name: str, layer: str | None, known: ServiceInventory, suggest: Suggest = did_you_mean
) -> InventoryService:
    """Return the service with a name, in a layer if one is given.

    Raises:
        EntityNotFoundError: No service matches. The hint lists similar names.
    """
    matching = _match_service(name, layer, known)
    if matching is not None:
        return matching
    if same_name := known.by_name.get(name, ()):
        layers = ", ".join(sorted({one for service in same_name for one in service.layers}))
        raise EntityNotFoundError(f"service: OAP knows {name!r} in {layers}, not in layer {layer}")
    raise EntityNotFoundError(f"service: OAP does not know {name!r}", suggest(name, known.by_name, "services"))


def select_instances(selector: Instances, service: str, known: Sequence[InventoryInstance]) -> list[str]:
    """Return the names of the instances that match a selector, sorted.

    Raises:
        EntityNotFoundError: No instance matches. The hint lists existing ones.
        ProviderError: QUERY_INVALID, if Kubernetes cut the hash out of the names of the pods.
    """
    return list(_select(selector, service, known)[0])


def find_endpoint(
    name: str, service: str, known: Sequence[str], others: Sequence[str], suggest: Suggest = did_you_mean
) -> str:
    """Return the name of an endpoint if OAP lists it.

    Args:
        name: Name in the block.
        service: Name of the service.
        known: Endpoints whose names contain the name; OAP lists at most MAX_ENDPOINTS.
        others: Other endpoints of the service, for the hint.
        suggest: Function for the hint.

    Raises:
        EntityNotFoundError: OAP does not list it. The hint lists similar names.
    """
    if name in known or len(known) >= MAX_ENDPOINTS:  # a full list is not complete: the metrics decide
        return name
    raise EntityNotFoundError(
        f"endpoint: OAP does not know {name!r} of {service!r}", suggest(name, others, "endpoints")
    )


def describe_subject(entities: EntitySet) -> str:
    """Return the description of selected instances for messages; empty for a single entity."""
    if not entities.selector:
        return ""
    return f"{format_count(len(entities.members), 'instance')} of {entities.selector}"


def describe_selection(spec: EntitySpec | JudgedSpec, backend: Backend | None) -> QueryDescription:
    """Return the description of a spec's entity and window."""
    return QueryDescription(
        window=spec.window_length,
        backend=backend.connection.name if backend else "",
        ui=(backend.connection.config.ui or "") if backend else "",
        service=resolve_service_name(spec, backend.connection.config.service_name)
        if backend
        else _written_service(spec),
        layer=spec.layer or "",
        endpoint=spec.endpoint or "",
        instances=spec.instances.display if spec.instances else "",
        starts_at_run=spec.starts_at_run,
    )


def _match_service(name: str, layer: str | None, known: ServiceInventory) -> InventoryService | None:
    matching = [one for one in known.by_name.get(name, ()) if layer is None or layer in one.layers]
    return next((one for one in matching if one.normal), next(iter(matching), None))


def _written_service(spec: EntityKeys) -> str:
    """Return the service as the block has it. The pattern that joins its parts belongs to the backend."""
    if isinstance(spec.service, str):
        return spec.service
    return ", ".join(f"{part} {name}" for part, name in spec.service.model_dump(exclude_none=True).items())


def _select(selector: Instances, service: str, known: Sequence[InventoryInstance]) -> tuple[Sequence[str], str]:
    """Return the names of the instances that match a selector, sorted, and the selector's text for messages."""
    if selector.pod_template_hash is not None:
        selection = select_by_hash(selector.pod_template_hash, service, known)
        return selection.names, f"{selector.display}{_FULL_LENGTH_NOTE if selection.full_length else ''}"
    names = sorted({instance.name for instance in known if _matches_regex(selector.name or "", instance.name)})
    if names:
        return names, selector.display
    regex = selector.name or ""
    raise EntityNotFoundError(
        f"instances: no instance of {service!r} has a whole name that matches {regex!r}",
        f"{describe_instances(known)}{_partial_match_hint(regex, known)}",
    )


def _partial_match_hint(regex: str, known: Sequence[InventoryInstance]) -> str:
    """Return the hint for an expression that matches a part of a name only; empty for another one."""
    partial = f".*({regex}).*" if "|" in regex else f".*{regex}.*"
    if not any(_matches_regex(partial, instance.name) for instance in known):
        return ""
    by_hash = "podTemplateHash for the pods of a ReplicaSet, or " if re2.fullmatch("[a-z0-9]{5,10}", regex) else ""
    return f". The expression is compared with the whole name. Write {by_hash}name: {partial!r}"


def _matches_regex(regex: str, name: str) -> bool:
    # OAP's name may contain a lone surrogate, which RE2 cannot encode.
    return re2.fullmatch(regex, name.encode("utf-8", "replace").decode()) is not None
