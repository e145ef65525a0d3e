"""What lets the service be watched, opened as the configuration says; nothing is imported that it does not want."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from skywalking_provider.config import Config, HttpConfig
from skywalking_provider.record import Watch
from skywalking_provider.server.readiness import Readiness


@dataclass(frozen=True, slots=True)
class Watching:
    """Who is told of every answer, and where to look.

    Attributes:
        watches: For the engine.
        http: host:port of the listener for machines, where there is one.
    """

    watches: tuple[Watch, ...] = ()
    http: str | None = None

    @property
    def places(self) -> dict[str, str]:
        """Where to look, for the log."""
        return {"http": self.http} if self.http else {}


@asynccontextmanager
async def open_watching(config: Config, readiness: Readiness) -> AsyncIterator[Watching]:
    """Listen for as long as the context lasts: from before the service is ready until after its last answer.

    Raises:
        ConfigError: An address cannot be used.
    """
    async with AsyncExitStack() as stack:
        watches: list[Watch] = []
        http = None
        if config.http is not None:
            watch, http = await stack.enter_async_context(_http(config.http, config, readiness))
            watches.append(watch)
        yield Watching(tuple(watches), http)


@asynccontextmanager
async def _http(http: HttpConfig, config: Config, readiness: Readiness) -> AsyncIterator[tuple[Watch, str]]:
    from prometheus_client.aiohttp import make_aiohttp_handler  # noqa: PLC0415 - only where it is configured

    from skywalking_provider.server.bridges import Bridges  # noqa: PLC0415
    from skywalking_provider.server.http import http_app  # noqa: PLC0415
    from skywalking_provider.server.web import listening  # noqa: PLC0415
    from skywalking_provider.telemetry.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics(config.backends)
    bridges = Bridges(http.bridges) if http.bridges else None
    app = http_app(lambda: readiness.ready, make_aiohttp_handler(metrics.registry), bridges)
    async with listening(app, "http.listen", http.listen) as address:
        yield metrics.measured, address
