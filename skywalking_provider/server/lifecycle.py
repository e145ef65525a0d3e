"""Start, readiness and two-stage stop of the service."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from skywalking_provider import __version__
from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import ConditionEvaluator, open_condition_evaluator
from skywalking_provider.config import Config, ConfigError
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.oap import BackendRegistry, Observer, open_backends
from skywalking_provider.server.admission import Admission
from skywalking_provider.server.endpoint import Endpoint, resolve_endpoint
from skywalking_provider.server.grpc_server import bind_server, new_server
from skywalking_provider.server.instrumentation import Instrumentation, open_instrumentation
from skywalking_provider.server.measurement_stream import MeasurementStreams
from skywalking_provider.server.readiness import Readiness
from skywalking_provider.server.service import MetricProviderService
from skywalking_provider.server.signals import install_signal_handlers
from skywalking_provider.server.unix_socket import exclusive_socket_path

if TYPE_CHECKING:
    from skywalking_provider.reporting.reporters import EventReporters

SERVICE = pb.DESCRIPTOR.services_by_name["MetricProvider"].full_name
_log = structlog.get_logger()


async def serve(config: Config, lost_log_lines: Callable[[], int] = lambda: 0) -> None:
    """Serve until a signal stops the service.

    The first stop signal reports NOT_SERVING, rejects new calls and lets calls in flight finish within `drain`.
    The second one cancels them.

    Args:
        config: Configuration of the service.
        lost_log_lines: Function that returns the number of log lines lost since the start.

    Raises:
        ConfigError: The endpoint cannot be used.
    """
    endpoint = resolve_endpoint(config)
    stop, force_stop = install_signal_handlers()
    async with open_server(config, endpoint, lost_log_lines) as server:
        _freeze_gc()
        backends = sorted(config.backends)
        _log.info("ready", endpoint=endpoint.target, **server.addresses, backends=backends, version=__version__)
        await stop.wait()
        _log.info("stopping", drain_seconds=config.drain.total_seconds())
        draining = asyncio.create_task(server.drain(config.drain.total_seconds()))
        forced = asyncio.create_task(force_stop.wait())
        await asyncio.wait({draining, forced}, return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        await server.stop_now()
        await draining
    _log.info("stopped")


class RunningServer:
    """A started server.

    Attributes:
        port: Bound TCP port; 0 for a unix socket.
        addresses: Address (host:port) of each HTTP listener by its configuration key.
    """

    def __init__(
        self,
        server: grpc.aio.Server,
        readiness: Readiness,
        port: int,
        instrumentation: Instrumentation,
        reporters: "EventReporters | None",
        streams: MeasurementStreams | None,
    ) -> None:
        self._server = server
        self._streams = streams
        self._readiness = readiness
        self._reporters = reporters
        self.port = port
        self.addresses = instrumentation.addresses
        # State: whether the calls in flight were cancelled, and the last events in progress.
        self._forced = False
        self._flush: asyncio.Task[None] | None = None

    async def drain(self, seconds: float) -> None:
        """Reject new calls, let calls in flight finish, and send the queued events, all within the given seconds."""
        ends_at = time.monotonic() + seconds
        await self._readiness.end()
        if self._streams is not None:
            self._streams.close()
        await self._server.stop(seconds)
        if self._reporters is not None and not self._forced:
            self._flush = asyncio.create_task(self._reporters.flush(max(0.0, ends_at - time.monotonic())))
            await asyncio.wait([self._flush])

    async def stop_now(self) -> None:
        """Cancel the calls in flight and the last events."""
        self._forced = True
        if self._flush is not None:
            self._flush.cancel()
        await self._server.stop(None)


@asynccontextmanager
async def open_server(
    config: Config, endpoint: Endpoint, lost_log_lines: Callable[[], int] = lambda: 0
) -> AsyncIterator[RunningServer]:
    """Serve until the context ends; health is SERVING once the condition evaluator has started."""
    async with AsyncExitStack() as stack:
        owned = stack.enter_context(exclusive_socket_path(endpoint.socket)) if endpoint.socket else None
        readiness = Readiness("", SERVICE)
        instrumentation = await stack.enter_async_context(open_instrumentation(config, readiness, _now, lost_log_lines))
        evaluator = await stack.enter_async_context(_open_ready_evaluator())
        backends = await stack.enter_async_context(
            open_backends(config.backends, _now, observer=instrumentation.observer)
        )
        reporters = await stack.enter_async_context(_open_reporters(config, backends, instrumentation.observer))
        server = new_server(endpoint, instrumentation.interceptors)
        listeners = [*instrumentation.listeners, *([reporters.report] if reporters else [])]
        limits = CauseLimits(with_content=config.page is not None and config.page.cause_details)
        engine = Engine(backends, evaluator, _now, listeners, cause_limits=limits)
        streams = _new_streams(endpoint, instrumentation)
        service = MetricProviderService(engine, _now, Admission(), streams)
        rpc.add_MetricProviderServicer_to_server(service, server)
        health_pb2_grpc.add_HealthServicer_to_server(readiness.servicer, server)
        if not (endpoint.tls or endpoint.exposed):
            reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        port = bind_server(server, endpoint, config, owned)
        await server.start()
        if owned:
            owned.publish(config.socket_mode)
        await readiness.begin()
        watch = asyncio.create_task(readiness.watch(evaluator))
        try:
            yield RunningServer(server, readiness, port, instrumentation, reporters, streams)
        finally:
            watch.cancel()
            await asyncio.wait([watch])
            await server.stop(None)


@asynccontextmanager
async def _open_ready_evaluator() -> AsyncIterator[ConditionEvaluator]:
    try:
        async with AsyncExitStack() as stack:
            evaluator = await stack.enter_async_context(open_condition_evaluator())
            opened = stack.pop_all()
    except (FileNotFoundError, RuntimeError) as error:
        raise ConfigError(f"condition evaluator does not start: {error}") from error
    async with opened:
        yield evaluator


@asynccontextmanager
async def _open_reporters(
    config: Config, backends: BackendRegistry, observer: Observer
) -> "AsyncIterator[EventReporters | None]":
    """Report events for SkyWalking until the context ends, if a backend has them enabled."""
    if not any(backend.events.enabled for backend in config.backends.values()):
        yield None
        return
    from skywalking_provider.reporting.reporters import open_reporters  # noqa: PLC0415 - only if it is used

    async with open_reporters(config.backends, backends, observer) as reporters:
        yield reporters


def _new_streams(endpoint: Endpoint, instrumentation: Instrumentation) -> MeasurementStreams | None:
    """Return the streams of bridges on this machine. Remote bridges balance their calls over replicas."""
    if endpoint.socket is None or instrumentation.interceptors:  # an interceptor makes a span for each call
        return None
    return MeasurementStreams()


def _freeze_gc() -> None:
    """Exclude modules and schemas from garbage collection: without that, each full collection takes 70 ms."""
    gc.collect()
    gc.freeze()


def _now() -> datetime:
    return datetime.now(UTC)
