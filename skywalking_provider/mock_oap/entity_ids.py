"""Ids of services, instances and endpoints, as in OAP."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from skywalking_provider.mock_oap.versions import OapVersion

ILLEGAL: Final = "ILLEGAL_ENTITY"
BLANK: Final = "_blank"


class MetricScope(StrEnum):
    """Kinds of entities that a metric belongs to."""

    SERVICE = "Service"
    INSTANCE = "ServiceInstance"
    ENDPOINT = "Endpoint"


@dataclass(frozen=True, slots=True)
class EntityKey:
    """A service, or an instance or endpoint of it."""

    scope: MetricScope
    service: str
    normal: bool
    child: str = ""
    """The name of the instance or endpoint."""

    @property
    def id(self) -> str:
        """The entity's id in OAP."""
        own = service_id(self.service, normal=self.normal)
        return own if self.scope is MetricScope.SERVICE else f"{own}_{encode(self.child)}"


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
    service, normal = entity.get("serviceName"), entity.get("normal")
    if oap_version.checks_scope and entity.get("scope") != scope:
        return None
    if not isinstance(service, str) or not isinstance(normal, bool):
        return None
    if not service and oap_version.blank_names_have_id:
        service = BLANK
    if scope is MetricScope.SERVICE:
        return EntityKey(scope, service, normal)
    child = entity.get("serviceInstanceName" if scope is MetricScope.INSTANCE else "endpointName")
    return EntityKey(scope, service, normal, child) if isinstance(child, str) else None
