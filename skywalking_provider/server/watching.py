"""What lets the service be watched, opened as the configuration says; nothing is imported that it does not want."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import grpc.aio
import structlog
from structlog.typing import Processor

from skywalking_provider.config import Config, HttpConfig, PageConfig
from skywalking_provider.oap import Observer
from skywalking_provider.oap.observer import UNOBSERVED
from skywalking_provider.record import Watch
from skywalking_provider.server.readiness import Readiness
from skywalking_provider.telemetry.environment import EXTRA, tracing_installed, tracing_wanted
from skywalking_provider.telemetry.log import log_answer

_log = structlog.get_logger()


@dataclass(slots=True)
class Watching:
    """Who is told, and where to look.

    Attributes:
        watches: Told of every answer to Argo.
        interceptors: For the gRPC server.
        observer: Told of what the backends are asked.
        places: host:port of each listener that there is, by its key of the configuration.
    """

    watches: list[Watch] = field(default_factory=lambda: [log_answer])
    interceptors: list[grpc.aio.ServerInterceptor] = field(default_factory=list)
    observer: Observer = UNOBSERVED
    places: dict[str, str] = field(default_factory=dict)


def log_processors() -> list[Processor]:
    """What lines of the log need besides: the trace in which they were written, where there are traces."""
    if not (tracing_wanted(os.environ) and tracing_installed()):
        return []
    from skywalking_provider.telemetry.tracing import trace_ids  # noqa: PLC0415 - only where it is wanted

    return [trace_ids]


@asynccontextmanager
async def open_watching(config: Config, readiness: Readiness, now: Callable[[], datetime]) -> AsyncIterator[Watching]:
    """Listen for as long as the context lasts: from before the service is ready until after its last answer.

    Args:
        config: Which listeners there are.
        readiness: For /readyz.
        now: Our clock.

    Raises:
        ConfigError: An address cannot be used.
    """
    async with AsyncExitStack() as stack:
        watching = Watching()
        if tracing_wanted(os.environ):
            await stack.enter_async_context(_tracing(watching))
        if config.http is not None:
            await stack.enter_async_context(_http(config.http, config, readiness, watching))
        if config.page is not None:
            await stack.enter_async_context(_page(config.page, config, now, watching))
        yield watching


@asynccontextmanager
async def _tracing(watching: Watching) -> AsyncIterator[None]:
    if not tracing_installed():  # the variables may have been set for all pods alike
        _log.warning(f"traces are wanted (OTEL_EXPORTER_OTLP_ENDPOINT), but {EXTRA} is not installed")
        yield
        return
    from skywalking_provider.telemetry.tracing import annotate, open_tracing  # noqa: PLC0415 - only where it is wanted

    async with open_tracing() as interceptor:
        watching.watches.insert(0, annotate)
        watching.interceptors.append(interceptor)
        yield


@asynccontextmanager
async def _http(http: HttpConfig, config: Config, readiness: Readiness, watching: Watching) -> AsyncIterator[None]:
    from prometheus_client.aiohttp import make_aiohttp_handler  # noqa: PLC0415

    from skywalking_provider.server.bridges import Bridges  # noqa: PLC0415
    from skywalking_provider.server.http import http_app  # noqa: PLC0415
    from skywalking_provider.server.web import listening  # noqa: PLC0415
    from skywalking_provider.telemetry.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics(config.backends)
    watching.watches.append(metrics.measured)
    watching.observer = metrics.observer
    bridges = Bridges(http.bridges) if http.bridges else None
    app = http_app(lambda: readiness.ready, make_aiohttp_handler(metrics.registry), bridges)
    async with listening(app, "http.listen", http.listen) as watching.places["http"]:
        yield


@asynccontextmanager
async def _page(
    page: PageConfig, config: Config, now: Callable[[], datetime], watching: Watching
) -> AsyncIterator[None]:
    from skywalking_provider.oap.credentials import mask_of  # noqa: PLC0415
    from skywalking_provider.page.history import History  # noqa: PLC0415
    from skywalking_provider.page.view import View  # noqa: PLC0415
    from skywalking_provider.server.page import page_app  # noqa: PLC0415
    from skywalking_provider.server.web import listening  # noqa: PLC0415

    history = History(page.measurements, now, mask_of(config.backends.values()))
    watching.watches.append(history.add)
    app = page_app(page, history, View(tuple(config.backends), page.measurements), now)
    async with listening(app, "page.listen", page.listen) as watching.places["page"]:
        yield
