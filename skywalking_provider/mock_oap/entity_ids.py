"""Ids of services, instances, endpoints and relations, as in OAP."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from skywalking_provider.mock_oap.versions import OapVersion

ILLEGAL: Final = "ILLEGAL_ENTITY"
BLANK: Final = "_blank"
_DEST_KEYS: Final = {
    "serviceName": "destServiceName",
    "normal": "destNormal",
    "serviceInstanceName": "destServiceInstanceName",
}
"""Fields of an `Entity` that name the called side of a relation, by those that name a single entity."""


class MetricScope(StrEnum):
    """Kinds of entities that a metric belongs to."""

    SERVICE = "Service"
    INSTANCE = "ServiceInstance"
    ENDPOINT = "Endpoint"
    SERVICE_RELATION = "ServiceRelation"
    INSTANCE_RELATION = "ServiceInstanceRelation"

    @property
    def is_relation(self) -> bool:
        """Whether its entities are pairs of a caller and a called service or instance."""
        return self in (MetricScope.SERVICE_RELATION, MetricScope.INSTANCE_RELATION)


@dataclass(frozen=True, slots=True)
class EntityKey:
    """A service, an instance or endpoint of it, or a relation of one to another."""

    scope: MetricScope
    service: str
    normal: bool
    child: str = ""
    """The name of the instance or endpoint."""
    dest: "EntityKey | None" = None
    """The called service or instance of a relation."""

    @property
    def id(self) -> str:
        """The entity's id in OAP."""
        own = service_id(self.service, normal=self.normal)
        if self.scope not in (MetricScope.SERVICE, MetricScope.SERVICE_RELATION):
            own = f"{own}_{encode(self.child)}"
        return f"{own}-{self.dest.id}" if self.dest else own


def owner_json(entity: EntityKey) -> dict[str, str | bool | None]:
    """Return the `Owner` of an entity's value: the fields of its scope, the others null."""
    service = service_id(entity.service, normal=entity.normal)
    child = {"ID": entity.id, "Name": entity.child}
    owner: dict[str, str | bool | None] = {
        "scope": entity.scope,
        "serviceID": service,
        "serviceName": entity.service,
        "normal": entity.normal,
    }
    for scope, field in ((MetricScope.INSTANCE, "serviceInstance"), (MetricScope.ENDPOINT, "endpoint")):
        for suffix, value in child.items():
            owner[f"{field}{suffix}"] = value if entity.scope is scope else None
    return owner


def encode(name: str) -> str:
    """Encode a name for an id."""
    return base64.b64encode(name.encode()).decode()


def decode(text: str) -> str:
    """Decode the name in an id; empty if it is malformed."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def service_id(name: str, *, normal: bool) -> str:
    """Build the id of a service."""
    return f"{encode(name)}.{int(normal)}"


def parse_service_id(text: str) -> tuple[str, bool]:
    """Return name and `normal` of a service's id. The name is empty if the id is malformed."""
    name, _, normal = text.partition(".")
    return decode(name), normal == "1"


def resolve_entity(entity: Mapping[str, object], scope: MetricScope, oap_version: OapVersion) -> EntityKey | None:
    """Return the entity of a GraphQL `Entity` for a metric of this scope; None if required fields are missing."""
    if oap_version.checks_scope and entity.get("scope") != scope:
        return None
    match scope:
        case MetricScope.SERVICE_RELATION:
            return _resolve_relation(entity, scope, MetricScope.SERVICE, oap_version)
        case MetricScope.INSTANCE_RELATION:
            return _resolve_relation(entity, scope, MetricScope.INSTANCE, oap_version)
        case _:
            return _resolve_single(entity, scope, oap_version)


def _resolve_relation(
    entity: Mapping[str, object], scope: MetricScope, end: MetricScope, oap_version: OapVersion
) -> EntityKey | None:
    source = _resolve_single(entity, end, oap_version)
    dest = _resolve_single({own: entity.get(name) for own, name in _DEST_KEYS.items()}, end, oap_version)
    return replace(source, scope=scope, dest=dest) if source and dest else None


def _resolve_single(entity: Mapping[str, object], scope: MetricScope, oap_version: OapVersion) -> EntityKey | None:
    service, normal = entity.get("serviceName"), entity.get("normal")
    if not isinstance(service, str) or not isinstance(normal, bool):
        return None
    if not service and oap_version.blank_names_have_id:
        service = BLANK
    if scope is MetricScope.SERVICE:
        return EntityKey(scope, service, normal)
    child = entity.get("serviceInstanceName" if scope is MetricScope.INSTANCE else "endpointName")
    return EntityKey(scope, service, normal, child) if isinstance(child, str) else None
