"""What an OAP knows by name: services, their instances and endpoints, and metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.entities import MAX_ENDPOINTS, Instance, Service
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Window
from skywalking_provider.plan import Read, duration_variable

ASK_SERVICES = Read("query { services: listServices { id name layers normal } }", {})
ASK_METRICS = Read("query { metrics: listMetrics { name } }", {})


ASK_LAYERS = Read("query { layers: listLayers }", {})


def ask_services_of(layers: Sequence[str]) -> Read:
    """The services of layers: an OAP before 9.5 lists them by layer only."""
    declared = ", ".join(f"$l{at}: String!" for at in range(len(layers)))
    fields = " ".join(f"l{at}: listServices(layer: $l{at}) {{ id name layers normal }}" for at in range(len(layers)))
    return Read(f"query q({declared}) {{ {fields} }}", {f"l{at}": layer for at, layer in enumerate(layers)})


def layers_from(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The answer to ASK_LAYERS."""
    match data.get("layers"):
        case list(layers):
            return tuple(str(layer) for layer in layers)
    raise ProviderError(Reason.OAP_ANSWER_INVALID, "listLayers was answered in another form than SkyWalking's")


def ask_instances(service: Service, window: Window) -> Read:
    """The instances that lived in a window."""
    query = (
        "query q($service: ID!, $duration: Duration!) {"
        " instances: listInstances(serviceId: $service, duration: $duration) { name attributes { name value } } }"
    )
    return Read(query, {"service": service.id, "duration": duration_variable(window)})


def ask_endpoints(service: Service, keyword: str) -> Read:
    """Endpoints whose name contains a keyword."""
    query = (
        "query q($service: ID!, $keyword: String!, $limit: Int!) {"
        " endpoints: findEndpoint(serviceId: $service, keyword: $keyword, limit: $limit) { name } }"
    )
    return Read(query, {"service": service.id, "keyword": keyword, "limit": MAX_ENDPOINTS})


def services_from(data: Mapping[str, Any]) -> tuple[Service, ...]:
    """The answer to ASK_SERVICES or `ask_services_of`; a service of several layers is there once."""
    services: dict[str, Service] = {}
    for field in data:
        for one in _list(data, field):
            before = services[one["id"]].layers if one["id"] in services else ()
            layers = tuple(dict.fromkeys((*before, *(one.get("layers") or ()))))
            services[one["id"]] = Service(one["id"], one["name"], layers, one.get("normal") is not False)
    return tuple(services.values())


def instances_from(data: Mapping[str, Any]) -> tuple[Instance, ...]:
    """The answer to `ask_instances`."""
    return tuple(
        Instance(one["name"], {pair["name"]: pair["value"] for pair in one.get("attributes") or ()})
        for one in _list(data, "instances")
    )


def names_from(data: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """The names in an answer to ASK_METRICS or `ask_endpoints`."""
    return tuple(one["name"] for one in _list(data, field))


def _list(data: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    match data.get(field):
        case list(found) if all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in found):
            return found
    raise ProviderError(Reason.OAP_ANSWER_INVALID, f"{field} was answered in another form than SkyWalking's")
