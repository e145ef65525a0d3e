"""Services, instances, endpoints and metrics by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skywalking_provider.mock_oap.dialect import Dialect
from skywalking_provider.mock_oap.duration import parse_duration
from skywalking_provider.mock_oap.entities import decode, encode, read_service_id, service_id
from skywalking_provider.mock_oap.scenario import Instance, Service
from skywalking_provider.mock_oap.store import Store

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Metadata:
    """Answers the metadata queries."""

    store: Store
    dialect: Dialect

    def services(self, layer: str | None = None) -> list[Json]:
        """`listServices`."""
        return [_service(service) for service in self.store.services(layer)]

    def layers(self) -> list[str]:
        """`listLayers`."""
        return sorted({layer for service in self.store.services() for layer in service.layers})

    def service_by_id(self, given: str) -> Json | None:
        """`getService`."""
        found = self._service(given)
        return _service(found) if found else None

    def service_by_name(self, name: str) -> Json | None:
        """`findService`."""
        return next((_service(service) for service in self.store.services() if service.name == name), None)

    def instances(self, duration: Mapping[str, str], given: str) -> list[Json]:
        """`listInstances`: those alive in the duration."""
        during = parse_duration(duration, self.store.clock.zone, self.dialect)
        service = self._service(given)
        return [self._instance(service, one) for one in self.store.instances(service, during)] if service else []

    def instance(self, given: str) -> Json | None:
        """`getInstance`."""
        of, _, name = given.partition("_")
        service = self._service(of)
        for one in service.instances if service else ():
            if one.name == decode(name):
                return self._instance(service, one) if service else None
        return None

    def endpoints(self, given: str, keyword: str | None, limit: int) -> list[Json]:
        """`findEndpoint`."""
        service = self._service(given)
        names = [name for name in (service.endpoints if service else ()) if (keyword or "") in name]
        return [{"id": f"{given}_{encode(name)}", "name": name} for name in names[:limit]]

    def _service(self, given: str) -> Service | None:
        name, normal = read_service_id(given)
        return self.store.service(name, normal=normal)

    @staticmethod
    def _instance(service: Service, instance: Instance) -> Json:
        own = f"{service_id(service.name, normal=service.normal)}_{encode(instance.name)}"
        return {
            "id": own,
            "name": instance.name,
            "attributes": [{"name": name, "value": value} for name, value in instance.attributes.items()],
            "language": instance.language,
            "instanceUUID": own,
            "layer": service.layers[0],
        }


def _service(service: Service) -> Json:
    group, separator, short = service.name.partition("::")
    return {
        "id": service_id(service.name, normal=service.normal),
        "name": service.name,
        "group": group if separator else "",
        "shortName": short if separator else service.name,
        "layers": list(service.layers),
        "normal": service.normal,
    }
