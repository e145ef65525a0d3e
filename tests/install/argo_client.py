"""Argo's own plugin client with the real bridge and the service on one OAP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from skywalking_provider.config import Config
from skywalking_provider.server.endpoint import resolve_endpoint
from skywalking_provider.server.lifecycle import open_server
from skywalking_provider.tools.demo.argo_host import ArgoHost, run_argo_host

_BINARIES = Path(__file__).parents[2] / ".cache/bin"


@asynccontextmanager
async def open_argo_client(oap_url: str, folder: Path) -> AsyncIterator[ArgoHost]:
    """Start the service and the bridge, and provide Argo's client until the context ends.

    Args:
        oap_url: URL of the OAP.
        folder: Folder of the socket and the log. Its path is short: that of a socket has at most 107 bytes.
    """
    socket = folder / "p.sock"
    config = Config.model_validate({"backends": {"prod": {"url": oap_url}}, "socket": str(socket)})
    binaries = (_BINARIES / "argo-host", _BINARIES / "skywalking-bridge")
    async with (
        open_server(config, resolve_endpoint(config)),
        run_argo_host(*binaries, folder / "argo-host.log", f"--socket={socket}") as host,
    ):
        yield host
