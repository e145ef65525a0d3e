"""Where the service lets itself be watched: probes and metrics for machines, a page for people."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from skywalking_provider.support.strict_model import StrictModel


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of host:port.

    Raises:
        ValueError: It is none.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{address!r} is not host:port, such as 127.0.0.1:9464")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine, or this pod, can reach a host."""
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
            f"{address!r} is open to others, and the page authenticates nobody; listen on 127.0.0.1 and reach it "
            "through kubectl port-forward, or put an authenticating proxy into the pod"
        )
    return address


class HttpConfig(StrictModel):
    """For machines: /metrics, /healthz, /readyz and, where a folder is named, /bridge.

    Attributes:
        listen: host:port; nothing that is served here is secret.
        bridges: Folder with <version>/<os>-<arch>/skywalking-bridge, for controllers that download their plugins.
    """

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:9464"
    bridges: Path | None = None


class PageConfig(StrictModel):
    """For people: the last measurements, in a browser.

    Attributes:
        listen: host:port, on loopback only.
        hosts: Further names under which a browser may ask for it, such as that of an authenticating proxy.
        measurements: How many are kept.
    """

    listen: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1:9465"
    hosts: tuple[str, ...] = ()
    measurements: int = Field(default=500, ge=1, le=5000)
