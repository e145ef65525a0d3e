"""From what an author wrote to the entities that an OAP knows. Pure: the OAP's lists are arguments."""

from collections.abc import Sequence

import re2

from skywalking_provider.block import EntitySpec, Instances
from skywalking_provider.errors import EntityNotFoundError, ProviderError, Reason
from skywalking_provider.oap.api.inventory import MAX_ENDPOINTS, InventoryInstance, InventoryService, ServiceInventory
from skywalking_provider.support.service_names import format_service_name
from skywalking_provider.support.suggestions import did_you_mean


def resolve_service_name(spec: EntitySpec, pattern: str) -> str:
    """The name of the service that a spec means.

    Raises:
        ProviderError: BLOCK_INVALID, where the backend's pattern needs a part that was not given.
    """
    if isinstance(spec.service, str):
        return spec.service
    try:
        return format_service_name(spec.service.model_dump(exclude_none=True), pattern)
    except ValueError as error:
        raise ProviderError(Reason.BLOCK_INVALID, f"the block under provider.plugin is wrong: {error}") from error


def find_service(name: str, layer: str | None, known: ServiceInventory) -> InventoryService:
    """The service of a name, of a layer where one is given.

    Raises:
        NotYetKnown: There is none, with the nearest names.
    """
    same_name = known.by_name.get(name, ())
    found = [service for service in same_name if layer is None or layer in service.layers]
    if found:
        return next((service for service in found if service.normal), found[0])
    if same_name:
        layers = ", ".join(sorted({one for service in same_name for one in service.layers}))
        raise EntityNotFoundError(f"service: OAP knows {name!r} in {layers}, not in layer {layer}")
    raise EntityNotFoundError(f"service: OAP knows no {name!r}", did_you_mean(name, known.by_name))


def select_instances(selector: Instances, service: str, known: Sequence[InventoryInstance]) -> list[str]:
    """The names of the instances that a selector means.

    Raises:
        NotYetKnown: There are none, with those there are.
    """
    found = sorted({instance.name for instance in known if _matches(selector, instance)})
    if found:
        return found
    names = ", ".join(sorted(instance.name for instance in known)[:5])
    raise EntityNotFoundError(
        f"instances: no instance of {service!r} matches {selector.display}",
        f"{len(known)} instances there are: {names}" if known else "it has no instances in this window",
    )


def find_endpoint(name: str, service: str, known: Sequence[str], others: Sequence[str]) -> str:
    """The endpoint of a name.

    Args:
        name: As written.
        service: Its service.
        known: The endpoints whose names contain the name; OAP lists MAX_ENDPOINTS at most.
        others: Endpoints of the service, for the hint.

    Raises:
        NotYetKnown: There is none, with the nearest names.
    """
    if name in known or len(known) >= MAX_ENDPOINTS:  # a full list may lack it: then its metrics tell
        return name
    raise EntityNotFoundError(f"endpoint: OAP knows no {name!r} of {service!r}", did_you_mean(name, others))


def _matches(selector: Instances, instance: InventoryInstance) -> bool:
    if selector.name is not None:
        return re2.fullmatch(selector.name, instance.name) is not None
    names = (instance.name, instance.attributes.get("pod", ""), instance.attributes.get("hostname", ""))
    return any(selector.pod_template_hash in name.split("-") for name in names)
