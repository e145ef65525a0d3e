"""Start, readiness and the two-stage stop of the service."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from skywalking_provider import __version__
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import ConditionEvaluator, open_condition_evaluator
from skywalking_provider.config import Config, ConfigError
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.oap import open_backends
from skywalking_provider.server import tls
from skywalking_provider.server.client_authorization import ClientIdentityInterceptor
from skywalking_provider.server.endpoint import Endpoint, resolve_endpoint
from skywalking_provider.server.instrumentation import Instrumentation, open_instrumentation
from skywalking_provider.server.readiness import Readiness
from skywalking_provider.server.service import MetricProviderService
from skywalking_provider.server.unix_socket import exclusive_socket_path

SERVICE = pb.DESCRIPTOR.services_by_name["MetricProvider"].full_name
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 1024 * 1024),  # a block is small; what is larger is refused unread
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)

_log = structlog.get_logger()


async def serve(config: Config) -> None:
    """Serve until a signal says stop.

    The first SIGTERM or SIGINT says NOT_SERVING, takes no new calls and lets those in flight go on for `drain`;
    the second ends them at once.

    Raises:
        ConfigError: The place to serve on cannot be used.
    """
    endpoint = resolve_endpoint(config)
    stop, hurry = _install_signal_handlers()
    async with open_server(config, endpoint) as server:
        _freeze_gc()
        backends = sorted(config.backends)
        _log.info("ready", endpoint=endpoint.target, **server.addresses, backends=backends, version=__version__)
        await stop.wait()
        _log.info("stopping", drain_seconds=config.drain.total_seconds())
        draining = asyncio.create_task(server.drain(config.drain.total_seconds()))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        await server.stop_now()
        await draining
    _log.info("stopped")


class RunningServer:
    """A server that answers, and how to end it."""

    def __init__(
        self, server: grpc.aio.Server, readiness: Readiness, port: int, instrumentation: Instrumentation
    ) -> None:
        self._server = server
        self._readiness = readiness
        self.port = port
        self.addresses = instrumentation.addresses

    async def drain(self, seconds: float) -> None:
        """Take no new calls; those in flight may go on for so many seconds."""
        await self._readiness.end()
        await self._server.stop(seconds)

    async def stop_now(self) -> None:
        """End what is still in flight."""
        await self._server.stop(None)


@asynccontextmanager
async def open_server(config: Config, endpoint: Endpoint) -> AsyncIterator[RunningServer]:
    """Serve for as long as the context lasts; SERVING only once a condition can be evaluated."""
    async with AsyncExitStack() as stack:
        if endpoint.socket:
            stack.enter_context(exclusive_socket_path(endpoint.socket))
        readiness = Readiness("", SERVICE)
        watching = await stack.enter_async_context(open_instrumentation(config, readiness, _now))
        languages = await stack.enter_async_context(_open_ready_evaluator())
        backends = await stack.enter_async_context(open_backends(config.backends, _now, observer=watching.observer))
        server = _new_server(endpoint, watching.interceptors)
        engine = Engine(backends, languages, _now, watching.listeners)
        rpc.add_MetricProviderServicer_to_server(MetricProviderService(engine), server)
        health_pb2_grpc.add_HealthServicer_to_server(readiness.servicer, server)
        if not (endpoint.tls or endpoint.exposed):
            reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        port = _bind(server, endpoint, config)
        await server.start()
        if endpoint.socket:
            endpoint.socket.chmod(config.socket_mode)
        await readiness.begin()
        try:
            yield RunningServer(server, readiness, port, watching)
        finally:
            await server.stop(None)


@asynccontextmanager
async def _open_ready_evaluator() -> AsyncIterator[ConditionEvaluator]:
    try:
        async with AsyncExitStack() as stack:
            languages = await stack.enter_async_context(open_condition_evaluator())
            kept = stack.pop_all()
    except (FileNotFoundError, RuntimeError) as error:
        raise ConfigError(f"the condition language does not start: {error}") from error
    async with kept:
        yield languages


def _new_server(endpoint: Endpoint, interceptors: Sequence[grpc.aio.ServerInterceptor]) -> grpc.aio.Server:
    if endpoint.tls is None:
        return grpc.aio.server(options=_OPTIONS, interceptors=interceptors)
    age = ("grpc.max_connection_age_ms", 1000 * tls.CONNECTION_SECONDS), ("grpc.max_connection_age_grace_ms", 30_000)
    allowed = ClientIdentityInterceptor(endpoint.tls.allowed_identities)
    return grpc.aio.server(options=(*_OPTIONS, *age), interceptors=[allowed, *interceptors])


def _bind(server: grpc.aio.Server, endpoint: Endpoint, config: Config) -> int:
    if endpoint.exposed and endpoint.tls is None:
        _log.warning(
            "TCP WITHOUT AUTHENTICATION: whoever reaches the port can read the backends (--insecure)",
            listen=endpoint.address,
        )
    before = os.umask(0o777 & ~config.socket_mode)  # never a moment in which others may connect
    try:
        if endpoint.tls:
            return server.add_secure_port(endpoint.target, tls.build_server_credentials(endpoint.tls))
        return server.add_insecure_port(endpoint.target)
    except RuntimeError as error:
        raise ConfigError(f"cannot serve on {endpoint.target}: is it in use, or not of this machine?") from error
    finally:
        os.umask(before)


def _freeze_gc() -> None:
    """Leave modules and schemas out of garbage collection: each full one took 70 ms to find that they are needed."""
    gc.collect()
    gc.freeze()


def _install_signal_handlers() -> tuple[asyncio.Event, asyncio.Event]:
    first, second = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: second.set() if first.is_set() else first.set())
    return first, second


def _now() -> datetime:
    return datetime.now(UTC)
