"""HTTP application for machines: liveness, readiness, Prometheus metrics and bridge downloads."""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from skywalking_provider.server.bridge_download import BridgeDownloads


def build_http_app(ready: Callable[[], bool], metrics: Handler, bridges: BridgeDownloads | None) -> web.Application:
    """Build the application behind `http.listen`.

    Args:
        ready: Function that returns whether new requests are accepted.
        metrics: Handler of /metrics.
        bridges: Bridge downloads; None to offer none.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # no backend is contacted: its outage is not fixed by a restart

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(status=503, text="not serving\n")

    app = web.Application(client_max_size=0)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    if bridges is not None:
        app.add_routes(bridges.routes())
    return app
