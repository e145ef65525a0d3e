"""What an OAP knows by name: services, their instances and endpoints, and metrics."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from skywalking_provider.model import Window
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.oap.api.responses import INSTANCES, METRICS, NAMES, SERVICES, TEXTS

MAX_ENDPOINTS = 100
ALL_SERVICES_REQUEST = GraphqlRequest("query { services: listServices { id name layers normal } }", {})
METRICS_REQUEST = GraphqlRequest("query { metrics: listMetrics { name catalog } }", {})


LAYERS_REQUEST = GraphqlRequest("query { layers: listLayers }", {})


@dataclass(frozen=True, slots=True)
class InventoryService:
    """A service as `listServices` has it; `normal` is false for what agents only call, such as a database."""

    id: str
    name: str
    layers: tuple[str, ...]
    normal: bool


@dataclass(frozen=True, slots=True)
class ServiceInventory:
    """The services of an OAP, by name: it may have thousands, and each measurement by name looks for one.

    Attributes:
        by_name: Those of a name, of different layers or kinds.
    """

    by_name: Mapping[str, tuple[InventoryService, ...]] = field(default_factory=dict)

    @classmethod
    def build(cls, services: Iterable[InventoryService]) -> "ServiceInventory":
        """These services."""
        by_name: dict[str, tuple[InventoryService, ...]] = {}
        for service in services:
            by_name[service.name] = (*by_name.get(service.name, ()), service)
        return cls(by_name)

    def __iter__(self) -> Iterator[InventoryService]:
        return chain.from_iterable(self.by_name.values())

    def __len__(self) -> int:
        return sum(map(len, self.by_name.values()))


@dataclass(frozen=True, slots=True)
class InventoryInstance:
    """An instance as `listInstances` has it."""

    name: str
    attributes: Mapping[str, str]


def services_request(layers: Sequence[str]) -> GraphqlRequest:
    """The services of layers: an OAP before 9.5 lists them by layer only."""
    declared = ", ".join(f"$l{at}: String!" for at in range(len(layers)))
    fields = " ".join(f"l{at}: listServices(layer: $l{at}) {{ id name layers normal }}" for at in range(len(layers)))
    return GraphqlRequest(f"query q({declared}) {{ {fields} }}", {f"l{at}": layer for at, layer in enumerate(layers)})


def parse_layers(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The answer to ASK_LAYERS. Raises as all below: OAP_RESPONSE_INVALID, where it is none."""
    return TEXTS.parse(data, "layers")


def instances_request(service: InventoryService, window: Window) -> GraphqlRequest:
    """The instances that lived in a window."""
    query = (
        "query q($service: ID!, $duration: Duration!) {"
        " instances: listInstances(serviceId: $service, duration: $duration) { name attributes { name value } } }"
    )
    return GraphqlRequest(query, {"service": service.id, "duration": duration_variable(window)})


def endpoints_request(service: InventoryService, keyword: str) -> GraphqlRequest:
    """Endpoints whose name contains a keyword."""
    query = (
        "query q($service: ID!, $keyword: String!, $limit: Int!) {"
        " endpoints: findEndpoint(serviceId: $service, keyword: $keyword, limit: $limit) { name } }"
    )
    return GraphqlRequest(query, {"service": service.id, "keyword": keyword, "limit": MAX_ENDPOINTS})


def parse_services(data: Mapping[str, Any]) -> ServiceInventory:
    """The answer to ASK_SERVICES or `ask_services_of`; a service of several layers is there once."""
    services: dict[str, InventoryService] = {}
    for field_name in data:
        for one in SERVICES.parse(data, field_name):
            before = services[one.id].layers if one.id in services else ()
            layers = tuple(dict.fromkeys((*before, *one.layers)))
            services[one.id] = InventoryService(one.id, one.name, layers, one.normal is not False)
    return ServiceInventory.build(services.values())


def parse_instances(data: Mapping[str, Any]) -> tuple[InventoryInstance, ...]:
    """The answer to `ask_instances`."""
    return tuple(
        InventoryInstance(one.name, {attribute.name: attribute.value for attribute in one.attributes})
        for one in INSTANCES.parse(data, "instances")
    )


def parse_metrics(data: Mapping[str, Any]) -> dict[str, str]:
    """The answer to ASK_METRICS: names, each with its catalog, empty where the OAP tells none."""
    return {one.name: one.catalog or "" for one in METRICS.parse(data, "metrics")}


def parse_names(data: Mapping[str, Any], field_name: str) -> tuple[str, ...]:
    """The names in an answer to `ask_endpoints`."""
    return tuple(one.name for one in NAMES.parse(data, field_name))
