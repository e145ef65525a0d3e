"""HTTP listeners: probes and metrics, and the history page."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from skywalking_provider.support.strict_model import StrictModel


def host_and_port(address: str) -> tuple[str, int]:
    """Return the host and the port of an address.

    Raises:
        ValueError: The address is not host:port.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{address!r} is not host:port. Write one such as 127.0.0.1:9464")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Return whether a host is reachable from this machine or pod only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(address: str) -> str:
    host_and_port(address)
    return address


def _loopback(address: str) -> str:
    if not is_loopback(host_and_port(address)[0]):
        raise ValueError(
            f"{address!r} is not on loopback, and the page has no authentication. Listen on 127.0.0.1 and use kubectl "
            "port-forward, or add an authenticating proxy to the pod"
        )
    return address


class HttpConfig(StrictModel):
    """Listener for machines: /metrics, /healthz, /readyz and, if `bridges` is set, /bridge.

    Attributes:
        listen: host:port; no response has secrets.
        bridges: Folder with <version>/<os>-<arch>/skywalking-bridge, for controllers that download their plugins.
    """

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:9464"
    bridges: Path | None = None


class PageConfig(StrictModel):
    """Listener of the page with the last measurements.

    Attributes:
        listen: host:port, on loopback only.
        hosts: Further accepted host names, such as that of an authenticating proxy.
        measurements: Number of measurements in the history.
        cause_details: Whether the texts of error logs are read, and shown as part of a cause.
    """

    listen: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1:9465"
    hosts: tuple[str, ...] = ()
    measurements: int = Field(default=500, ge=1, le=5000)
    cause_details: bool = False
