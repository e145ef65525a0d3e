"""Start, readiness and two-stage stop of the service."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
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
from skywalking_provider.server import tls
from skywalking_provider.server.admission import Admission
from skywalking_provider.server.client_authorization import ClientIdentityInterceptor
from skywalking_provider.server.descriptors import ConnectionShares
from skywalking_provider.server.endpoint import Endpoint, resolve_endpoint
from skywalking_provider.server.instrumentation import Instrumentation, open_instrumentation
from skywalking_provider.server.readiness import Readiness
from skywalking_provider.server.receive_limiter import ReceiveLimiter
from skywalking_provider.server.service import MetricProviderService
from skywalking_provider.server.signals import install_signal_handlers
from skywalking_provider.server.unix_socket import SocketPath, exclusive_socket_path, find_shared_folder

if TYPE_CHECKING:
    from skywalking_provider.reporting.reporters import EventReporters

SERVICE = pb.DESCRIPTOR.services_by_name["MetricProvider"].full_name
MAX_REQUEST_BYTES = 128 * 1024
"""Bytes of one request. A block has 32 KiB at most, so that a larger one still gets an Error with its size."""
_MAX_PENDING_CALLS = 5120  # that gRPC has accepted, and the service has not taken yet; of some 18 KiB each
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    # gRPC buffers this much of each message that waits to be received (`ReceiveLimiter`), and would raise it.
    ("grpc.http2.lookahead_bytes", 8 * 1024),
    ("grpc.http2.bdp_probe", 0),
    # From 1,000 waiting calls on gRPC would cancel calls at random, of any namespace. `Admission` sheds instead.
    ("grpc.server.max_pending_requests", _MAX_PENDING_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", _MAX_PENDING_CALLS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)

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
    ) -> None:
        self._server = server
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
        server = _new_server(endpoint, instrumentation.interceptors)
        listeners = [*instrumentation.listeners, *([reporters.report] if reporters else [])]
        limits = CauseLimits(with_content=config.page is not None and config.page.cause_details)
        engine = Engine(backends, evaluator, _now, listeners, cause_limits=limits)
        rpc.add_MetricProviderServicer_to_server(MetricProviderService(engine, _now, Admission()), server)
        health_pb2_grpc.add_HealthServicer_to_server(readiness.servicer, server)
        if not (endpoint.tls or endpoint.exposed):
            reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        port = _bind(server, endpoint, config, owned)
        await server.start()
        if owned:
            owned.publish(config.socket_mode)
        await readiness.begin()
        watch = asyncio.create_task(readiness.watch(evaluator))
        try:
            yield RunningServer(server, readiness, port, instrumentation, reporters)
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


def _connection_options() -> tuple[tuple[str, int], ...]:
    """Return limits of connections that send nothing; the arguments of gRPC's core are in milliseconds."""
    return (
        ("grpc.max_allowed_incoming_connections", ConnectionShares.of_process().grpc),
        ("grpc.server_handshake_timeout_ms", 10_000),  # until the client's first HTTP/2 frame
        ("grpc.max_connection_idle_ms", 300_000),  # without a call; the bridge connects again
    )


def _new_server(endpoint: Endpoint, interceptors: Sequence[grpc.aio.ServerInterceptor]) -> grpc.aio.Server:
    options = *_OPTIONS, *_connection_options()
    interceptors = [ReceiveLimiter(), *interceptors]  # the span of a call begins when its request is received
    if endpoint.tls is None:
        return grpc.aio.server(options=options, interceptors=interceptors)
    age = ("grpc.max_connection_age_ms", 1000 * tls.CONNECTION_SECONDS), ("grpc.max_connection_age_grace_ms", 30_000)
    allowed = ClientIdentityInterceptor(endpoint.tls.allowed_identities)
    return grpc.aio.server(options=(*options, *age), interceptors=[allowed, *interceptors])


def _bind(server: grpc.aio.Server, endpoint: Endpoint, config: Config, owned: SocketPath | None) -> int:
    _warn_of_exposure(endpoint)
    target = f"unix:{owned.bind_path}" if owned else endpoint.target
    previous_umask = os.umask(0o777 & ~config.socket_mode)  # the socket never has a wider mode, not even briefly
    try:
        if endpoint.tls:
            return server.add_secure_port(target, tls.build_server_credentials(endpoint.tls))
        return server.add_insecure_port(target)
    except RuntimeError as error:
        raise ConfigError(f"cannot listen on {endpoint.target}. Set a free address of this machine.") from error
    finally:
        os.umask(previous_umask)


def _warn_of_exposure(endpoint: Endpoint) -> None:
    if endpoint.exposed and endpoint.tls is None:
        _log.warning(
            "TCP WITHOUT AUTHENTICATION: every client that reaches the port can read the backends (--insecure)",
            listen=endpoint.address,
        )
    if endpoint.socket and (folder := find_shared_folder(endpoint.socket)):
        _log.warning(
            "every user can exchange the socket and answer the bridge. Set a path in a folder that only the service "
            "can write to, or set the sticky bit of the folder",
            folder=str(folder),
        )


def _freeze_gc() -> None:
    """Exclude modules and schemas from garbage collection: without that, each full collection takes 70 ms."""
    gc.collect()
    gc.freeze()


def _now() -> datetime:
    return datetime.now(UTC)
