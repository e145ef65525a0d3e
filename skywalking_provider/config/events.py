"""Configuration of the events that the service reports to SkyWalking."""

from typing import Annotated

from pydantic import AfterValidator, Field

from skywalking_provider.config.listeners import host_and_port
from skywalking_provider.support.strict_model import StrictModel


def _grpc_address(address: str) -> str:
    if "://" in address or "@" in address:
        raise ValueError("is not host:port. Write one such as oap.skywalking:11800; TLS follows from url")
    host_and_port(address)
    return address


class EventsConfig(StrictModel):
    """Events of a backend: one for each AnalysisRun and metric, on the service or the instances that are judged.

    Attributes:
        enabled: Whether measurements are reported to the backend's event API.
        address: host:port of OAP's gRPC port, instead of HTTP at the backend's `url`.
        max_instances: Number of instances of one measurement that get an event each. More of them have one event on
            their service.
    """

    enabled: bool = False
    address: Annotated[str, AfterValidator(_grpc_address)] | None = None
    max_instances: int = Field(default=5, ge=0, le=50)
