"""What an OAP knows by name: services, their instances and endpoints, and metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.answers import INSTANCES, METRICS, NAMES, SERVICES, TEXTS
from skywalking_provider.entities import MAX_ENDPOINTS, Instance, Service, Services
from skywalking_provider.model import Window
from skywalking_provider.plan import Read, duration_variable

ASK_SERVICES = Read("query { services: listServices { id name layers normal } }", {})
ASK_METRICS = Read("query { metrics: listMetrics { name catalog } }", {})


ASK_LAYERS = Read("query { layers: listLayers }", {})


def ask_services_of(layers: Sequence[str]) -> Read:
    """The services of layers: an OAP before 9.5 lists them by layer only."""
    declared = ", ".join(f"$l{at}: String!" for at in range(len(layers)))
    fields = " ".join(f"l{at}: listServices(layer: $l{at}) {{ id name layers normal }}" for at in range(len(layers)))
    return Read(f"query q({declared}) {{ {fields} }}", {f"l{at}": layer for at, layer in enumerate(layers)})


def layers_from(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The answer to ASK_LAYERS. Raises as all below: OAP_RESPONSE_INVALID, where it is none."""
    return TEXTS.read(data, "layers")


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


def services_from(data: Mapping[str, Any]) -> Services:
    """The answer to ASK_SERVICES or `ask_services_of`; a service of several layers is there once."""
    services: dict[str, Service] = {}
    for field in data:
        for one in SERVICES.read(data, field):
            before = services[one.id].layers if one.id in services else ()
            layers = tuple(dict.fromkeys((*before, *one.layers)))
            services[one.id] = Service(one.id, one.name, layers, one.normal is not False)
    return Services.of(services.values())


def instances_from(data: Mapping[str, Any]) -> tuple[Instance, ...]:
    """The answer to `ask_instances`."""
    return tuple(
        Instance(one.name, {attribute.name: attribute.value for attribute in one.attributes})
        for one in INSTANCES.read(data, "instances")
    )


def metrics_from(data: Mapping[str, Any]) -> dict[str, str]:
    """The answer to ASK_METRICS: names, each with its catalog, empty where the OAP tells none."""
    return {one.name: one.catalog or "" for one in METRICS.read(data, "metrics")}


def names_from(data: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """The names in an answer to `ask_endpoints`."""
    return tuple(one.name for one in NAMES.read(data, field))
