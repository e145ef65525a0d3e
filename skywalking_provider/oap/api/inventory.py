"""Inventory of an OAP: services, their instances and endpoints, and metrics."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import Any, Final

from skywalking_provider.model import Window
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.oap.api.responses import INSTANCES, METRICS, NAMES, SERVICES, TEXTS, ListedService

MAX_ENDPOINTS = 100  # of one request: names for a suggestion need no more
ALL_SERVICES_REQUEST = GraphqlRequest("query { services: listServices { id name layers normal } }", {})
METRICS_REQUEST = GraphqlRequest("query { metrics: listMetrics { name type catalog } }", {})
LAYERS_REQUEST = GraphqlRequest("query { layers: listLayers }", {})
INSTANCES_ALIAS: Final = "instances"
"""Alias of a list of instances; a request with several lists numbers them."""
_INSTANCE_SELECTION: Final = "{ name attributes { name value } }"


@dataclass(frozen=True, slots=True)
class InventoryService:
    """A service of `listServices`. `normal` is false for an uninstrumented target of calls, such as a database."""

    id: str
    name: str
    layers: tuple[str, ...]
    normal: bool


@dataclass(frozen=True, slots=True)
class ServiceInventory:
    """Services of an OAP by name. An OAP may have thousands, and each measurement looks one up.

    Attributes:
        by_name: Services of each name; they differ in layer or kind.
    """

    by_name: Mapping[str, tuple[InventoryService, ...]] = field(default_factory=dict)

    @classmethod
    def build(cls, services: Iterable[InventoryService]) -> "ServiceInventory":
        """Build the inventory of these services."""
        by_name: dict[str, list[InventoryService]] = {}
        for service in services:
            by_name.setdefault(service.name, []).append(service)
        return cls({name: tuple(same_name) for name, same_name in by_name.items()})

    def __iter__(self) -> Iterator[InventoryService]:
        return chain.from_iterable(self.by_name.values())

    def __len__(self) -> int:
        return sum(map(len, self.by_name.values()))


@dataclass(frozen=True, slots=True)
class InventoryInstance:
    """An instance of `listInstances`."""

    name: str
    attributes: Mapping[str, str]


class MetricType(StrEnum):
    """OAP's `MetricsType`: the values that a metric has for each bucket, which decide what read returns them."""

    REGULAR = "REGULAR_VALUE"
    LABELED = "LABELED_VALUE"
    HEATMAP = "HEATMAP"
    RECORD = "SAMPLED_RECORD"


_METRIC_TYPES: Final[Mapping[str | None, MetricType]] = {one.value: one for one in MetricType}


@dataclass(frozen=True, slots=True)
class MetricInventory:
    """Metrics of an OAP.

    Attributes:
        catalogs: Catalog of each metric, such as SERVICE_INSTANCE; empty if the OAP has none.
        types: Type of each metric; one of an unknown type is missing.
    """

    catalogs: Mapping[str, str]
    types: Mapping[str, MetricType]


def services_request(layers: Sequence[str]) -> GraphqlRequest:
    """Build the request for the services of layers: an OAP before 9.5 lists them by layer only."""
    declared = ", ".join(f"$l{at}: String!" for at in range(len(layers)))
    fields = " ".join(f"l{at}: listServices(layer: $l{at}) {{ id name layers normal }}" for at in range(len(layers)))
    return GraphqlRequest(f"query q({declared}) {{ {fields} }}", {f"l{at}": layer for at, layer in enumerate(layers)})


def parse_layers(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Parse the response to LAYERS_REQUEST. All parsers raise OAP_RESPONSE_INVALID for an unexpected form."""
    return TEXTS.parse(data, "layers")


def instances_request(service: InventoryService, window: Window) -> GraphqlRequest:
    """Build the request for the instances that existed in a window."""
    query = f"query q(${INSTANCES_ALIAS}: ID!, $duration: Duration!) {{ {instances_field(INSTANCES_ALIAS)} }}"
    return GraphqlRequest(query, {INSTANCES_ALIAS: service.id, "duration": duration_variable(window)}, window)


def instances_field(alias: str) -> str:
    """Return the field for the instances of a service in `$duration`; the variable with the alias has its id."""
    return f"{alias}: listInstances(serviceId: ${alias}, duration: $duration) {_INSTANCE_SELECTION}"


def endpoints_request(service: InventoryService, keyword: str) -> GraphqlRequest:
    """Build the request for endpoints whose name contains a keyword."""
    query = (
        "query q($service: ID!, $keyword: String!, $limit: Int!) {"
        " endpoints: findEndpoint(serviceId: $service, keyword: $keyword, limit: $limit) { name } }"
    )
    return GraphqlRequest(query, {"service": service.id, "keyword": keyword, "limit": MAX_ENDPOINTS})


def parse_services(data: Mapping[str, Any]) -> ServiceInventory:
    """Parse the response to ALL_SERVICES_REQUEST or `services_request`; a service of several layers is listed once."""
    listed: dict[str, ListedService] = {}
    layers: dict[str, dict[str, None]] = {}  # the keys of the inner dict are a set in the order of the response
    for field_name in data:
        for one in SERVICES.parse(data, field_name):
            listed[one.id] = one
            layers.setdefault(one.id, {}).update(dict.fromkeys(one.layers))
    return ServiceInventory.build(
        InventoryService(one.id, one.name, tuple(layers[one.id]), one.normal is not False) for one in listed.values()
    )


def parse_instances(data: Mapping[str, Any], alias: str = INSTANCES_ALIAS) -> tuple[InventoryInstance, ...]:
    """Parse the response to `instances_request`, or another field of `instances_field`."""
    return tuple(
        InventoryInstance(one.name, {attribute.name: attribute.value for attribute in one.attributes})
        for one in INSTANCES.parse(data, alias)
    )


def parse_metrics(data: Mapping[str, Any]) -> MetricInventory:
    """Parse the response to METRICS_REQUEST. A newer OAP may have other types, which are left out."""
    metrics = METRICS.parse(data, "metrics")
    return MetricInventory(
        {one.name: one.catalog or "" for one in metrics},
        {one.name: _METRIC_TYPES[one.type] for one in metrics if one.type in _METRIC_TYPES},
    )


def parse_names(data: Mapping[str, Any], field_name: str) -> tuple[str, ...]:
    """Parse the names in the response to `endpoints_request`."""
    return tuple(one.name for one in NAMES.parse(data, field_name))
