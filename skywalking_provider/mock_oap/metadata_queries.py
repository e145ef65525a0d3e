"""Resolvers of the metadata queries: layers, services, instances and endpoints."""

from collections.abc import Mapping
from dataclasses import dataclass

from skywalking_provider.mock_oap.duration import parse_duration
from skywalking_provider.mock_oap.entity_ids import decode, encode, parse_service_id, service_id
from skywalking_provider.mock_oap.graphql_errors import Json
from skywalking_provider.mock_oap.scenario import ScenarioInstance, ScenarioService
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.versions import OapVersion


@dataclass(frozen=True, slots=True)
class MetadataQueries:
    """Resolvers of the metadata queries for one OAP version."""

    store: Store
    oap_version: OapVersion

    def services(self, layer: str | None = None) -> list[Json]:
        """Resolve `listServices`."""
        return [_service_json(service) for service in self.store.services(layer)]

    def layers(self) -> list[str]:
        """Resolve `listLayers`."""
        return sorted({layer for service in self.store.services() for layer in service.layers})

    def service_by_id(self, encoded_id: str) -> Json | None:
        """Resolve `getService`."""
        service = self._find_service(encoded_id)
        return _service_json(service) if service else None

    def find_service_by_name(self, name: str) -> Json | None:
        """Resolve `findService`."""
        return next((_service_json(service) for service in self.store.services() if service.name == name), None)

    def instances(self, duration: Mapping[str, str], encoded_id: str) -> list[Json]:
        """Resolve `listInstances`: those alive in the duration."""
        during = parse_duration(duration, self.store.clock.zone, self.oap_version)
        service = self._find_service(encoded_id)
        return [self._instance_json(service, one) for one in self.store.instances(service, during)] if service else []

    def instance(self, encoded_id: str) -> Json | None:
        """Resolve `getInstance`."""
        encoded_service, _, name = encoded_id.partition("_")
        service = self._find_service(encoded_service)
        for one in service.instances if service else ():
            if one.name == decode(name):
                return self._instance_json(service, one) if service else None
        return None

    def endpoints(self, encoded_id: str, keyword: str | None, limit: int) -> list[Json]:
        """Resolve `findEndpoint`."""
        service = self._find_service(encoded_id)
        names = [name for name in (service.endpoints if service else ()) if (keyword or "") in name]
        return [{"id": f"{encoded_id}_{encode(name)}", "name": name} for name in names[:limit]]

    def _find_service(self, encoded_id: str) -> ScenarioService | None:
        name, normal = parse_service_id(encoded_id)
        return self.store.service(name, normal=normal)

    @staticmethod
    def _instance_json(service: ScenarioService, instance: ScenarioInstance) -> Json:
        own = f"{service_id(service.name, normal=service.normal)}_{encode(instance.name)}"
        return {
            "id": own,
            "name": instance.name,
            "attributes": [{"name": name, "value": value} for name, value in instance.attributes.items()],
            "language": instance.language,
            "instanceUUID": own,
        }


def _service_json(service: ScenarioService) -> Json:
    group, separator, short = service.name.partition("::")
    return {
        "id": service_id(service.name, normal=service.normal),
        "name": service.name,
        "group": group if separator else "",
        "shortName": short if separator else service.name,
        "layers": list(service.layers),
        "normal": service.normal,
    }
