"""Where the service lets itself be watched: probes and metrics."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from skywalking_provider.config.types import Section


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


def _address(address: str) -> str:
    host_and_port(address)
    return address


class HttpConfig(Section):
    """For machines: /metrics, /healthz, /readyz and, where a folder is named, /bridge.

    Attributes:
        listen: host:port; nothing that is served here is secret.
        bridges: Folder with <version>/<os>-<arch>/skywalking-bridge, for controllers that download their plugins.
    """

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:9464"
    bridges: Path | None = None
