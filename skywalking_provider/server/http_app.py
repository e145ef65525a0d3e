"""What machines ask over HTTP: is the process alive, is it ready, what does it count, and where is the bridge."""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from skywalking_provider.server.bridge_download import BridgeDownloads


def build_http_app(ready: Callable[[], bool], metrics: Handler, bridges: BridgeDownloads | None) -> web.Application:
    """The application behind `http.listen`.

    Args:
        ready: Whether new questions are answered.
        metrics: Answers /metrics.
        bridges: What is offered for download, if anything.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # the event loop answers; no backend is asked: its outage needs no restart

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(status=503, text="not serving\n")

    app = web.Application(client_max_size=0)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    if bridges is not None:
        app.add_routes(bridges.routes())
    return app
