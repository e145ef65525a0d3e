"""Instrumentation of the service: log, metrics, traces and history page, as far as the configuration enables them.

Modules of disabled parts are not imported, to save memory and start time.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import grpc.aio
import structlog
from structlog.typing import Processor

from skywalking_provider.analysis.events import MeasurementListener
from skywalking_provider.config import Config, HttpConfig, PageConfig
from skywalking_provider.oap import Observer
from skywalking_provider.oap.observer import UNOBSERVED
from skywalking_provider.server.descriptors import ConnectionShares
from skywalking_provider.server.readiness import Readiness
from skywalking_provider.telemetry.measurement_log import log_measurement
from skywalking_provider.telemetry.tracing_env import EXTRA, tracing_enabled, tracing_installed

_log = structlog.get_logger()


@dataclass(slots=True)
class Instrumentation:
    """Listeners, interceptors and addresses of the enabled instrumentation.

    Attributes:
        listeners: Listeners for every measurement event.
        interceptors: Interceptors for the gRPC server.
        observer: Observer of the requests to the backends.
        addresses: Address (host:port) of each HTTP listener by its configuration key.
    """

    listeners: list[MeasurementListener] = field(default_factory=lambda: [log_measurement])
    interceptors: list[grpc.aio.ServerInterceptor] = field(default_factory=list)
    observer: Observer = UNOBSERVED
    addresses: dict[str, str] = field(default_factory=dict)


def select_log_processors() -> list[Processor]:
    """Return additional log processors: the one that adds trace IDs if tracing is enabled."""
    if not (tracing_enabled(os.environ) and tracing_installed()):
        return []
    from skywalking_provider.telemetry.tracing import add_trace_ids  # noqa: PLC0415 - loads OpenTelemetry

    return [add_trace_ids]


@asynccontextmanager
async def open_instrumentation(
    config: Config, readiness: Readiness, now: Callable[[], datetime], lost_log_lines: Callable[[], int]
) -> AsyncIterator[Instrumentation]:
    """Open the configured instrumentation until the context ends.

    It opens before the service is ready and closes after the last response.

    Args:
        config: Configuration of the service.
        readiness: Readiness that /readyz reports.
        now: Wall clock.
        lost_log_lines: Function that returns the number of log lines lost since the start.

    Raises:
        ConfigError: An address cannot be bound.
    """
    async with AsyncExitStack() as stack:
        instrumentation = Instrumentation()
        if tracing_enabled(os.environ):
            await stack.enter_async_context(_open_tracing(instrumentation))
        if config.http is not None:
            opened = _open_http(config.http, config, readiness, now, lost_log_lines, instrumentation)
            await stack.enter_async_context(opened)
        if config.page is not None:
            await stack.enter_async_context(_open_history(config.page, config, now, instrumentation))
        yield instrumentation


@asynccontextmanager
async def _open_tracing(instrumentation: Instrumentation) -> AsyncIterator[None]:
    if not tracing_installed():  # not an error: the variables may be set for every pod of a namespace
        _log.warning("tracing disabled: OTEL_EXPORTER_OTLP_ENDPOINT is set, but a package is missing", install=EXTRA)
        yield
        return
    from skywalking_provider.telemetry.tracing import open_tracing, set_span_attributes  # noqa: PLC0415 - as above

    async with open_tracing() as interceptor:
        instrumentation.listeners.insert(0, set_span_attributes)
        instrumentation.interceptors.append(interceptor)
        yield


@asynccontextmanager
async def _open_http(
    http: HttpConfig,
    config: Config,
    readiness: Readiness,
    now: Callable[[], datetime],
    lost_log_lines: Callable[[], int],
    instrumentation: Instrumentation,
) -> AsyncIterator[None]:
    from prometheus_client.aiohttp import make_aiohttp_handler  # noqa: PLC0415

    from skywalking_provider.server.bridge_download import BridgeDownloads  # noqa: PLC0415
    from skywalking_provider.server.connection_limits import ConnectionLimits  # noqa: PLC0415
    from skywalking_provider.server.http_app import build_http_app  # noqa: PLC0415
    from skywalking_provider.server.http_listener import http_listener  # noqa: PLC0415
    from skywalking_provider.telemetry.event_loop_lag import watch_event_loop  # noqa: PLC0415
    from skywalking_provider.telemetry.metrics import ServiceMetrics  # noqa: PLC0415

    metrics = ServiceMetrics(config.backends, now, lost_log_lines)
    instrumentation.listeners.append(metrics.count_measurement)
    instrumentation.observer = metrics.observer
    bridges = BridgeDownloads(http.bridges) if http.bridges else None
    app = build_http_app(lambda: readiness.ready, make_aiohttp_handler(metrics.registry), bridges)
    limits = ConnectionLimits(ConnectionShares.of_process().http)
    async with (
        watch_event_loop(metrics.observe_event_loop_lag),
        http_listener(app, "http.listen", http.listen, limits) as instrumentation.addresses["http"],
    ):
        yield


@asynccontextmanager
async def _open_history(
    page: PageConfig, config: Config, now: Callable[[], datetime], instrumentation: Instrumentation
) -> AsyncIterator[None]:
    from skywalking_provider.history.http import build_history_app  # noqa: PLC0415
    from skywalking_provider.history.store import History  # noqa: PLC0415
    from skywalking_provider.history.view import HistoryView  # noqa: PLC0415
    from skywalking_provider.oap.transport.credentials import redactor_for  # noqa: PLC0415
    from skywalking_provider.server.connection_limits import ConnectionLimits  # noqa: PLC0415
    from skywalking_provider.server.http_listener import http_listener  # noqa: PLC0415

    history = History(page.measurements, now, redactor_for(config.backends.values()))
    instrumentation.listeners.append(history.add)
    app = build_history_app(page, history, HistoryView(tuple(config.backends), page.measurements), now)
    limits = ConnectionLimits(ConnectionShares.of_process().page)
    async with http_listener(app, "page.listen", page.listen, limits) as instrumentation.addresses["page"]:
        yield
