"""Names and ids of services, instances and endpoints, as OAP makes them."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from skywalking_provider.mock_oap.versions import OapVersion

ILLEGAL: Final = "ILLEGAL_ENTITY"
BLANK: Final = "_blank"


class MetricScope(StrEnum):
    """What a metric belongs to."""

    SERVICE = "Service"
    INSTANCE = "ServiceInstance"
    ENDPOINT = "Endpoint"


@dataclass(frozen=True, slots=True)
class EntityKey:
    """One entity: a service, or an instance or endpoint of it."""

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
    """A name as ids carry it."""
    return base64.b64encode(name.encode()).decode()


def decode(text: str) -> str:
    """The name in an id; empty if there is none."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def service_id(name: str, *, normal: bool) -> str:
    """The id of a service."""
    return f"{encode(name)}.{int(normal)}"


def parse_service_id(text: str) -> tuple[str, bool]:
    """Name and normality from a service's id; an unreadable id names the empty service."""
    name, _, normal = text.partition(".")
    return decode(name), normal == "1"


def resolve_entity(entity: Mapping[str, object], scope: MetricScope, oap_version: OapVersion) -> EntityKey | None:
    """The entity that a GraphQL `Entity` means for a metric of this scope; None if it identifies nothing."""
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
