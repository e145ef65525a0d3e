"""Environment variables that the kubelet gives a container for the Services of its namespace."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Port:
    name: str
    number: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    address: str
    ports: tuple[Port, ...]


def kubelet_variables(service: Service) -> Iterator[tuple[str, str]]:
    """Yield the variables of a Service, as pkg/kubelet/envvars of Kubernetes 1.34 makes them."""
    name = _variable_part(service.name)
    host = f"[{service.address}]" if ":" in service.address else service.address
    yield f"{name}_SERVICE_HOST", service.address
    yield f"{name}_SERVICE_PORT", str(service.ports[0].number)
    yield f"{name}_PORT", f"{service.ports[0].protocol.lower()}://{host}:{service.ports[0].number}"
    for port in service.ports:
        if port.name:
            yield f"{name}_SERVICE_PORT_{_variable_part(port.name)}", str(port.number)
        prefix = f"{name}_PORT_{port.number}_{port.protocol}"
        yield prefix, f"{port.protocol.lower()}://{host}:{port.number}"
        yield f"{prefix}_PROTO", port.protocol.lower()
        yield f"{prefix}_PORT", str(port.number)
        yield f"{prefix}_ADDR", service.address


def _variable_part(name: str) -> str:
    return name.upper().replace("-", "_")
