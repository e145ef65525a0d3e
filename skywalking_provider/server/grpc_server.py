"""gRPC server: its limits, interceptors and endpoint."""

import os
from collections.abc import Sequence

import grpc.aio
import structlog

from skywalking_provider.config import Config, ConfigError
from skywalking_provider.server import tls
from skywalking_provider.server.client_authorization import ClientIdentityInterceptor
from skywalking_provider.server.descriptors import ConnectionShares
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.receive_limiter import ReceiveLimiter
from skywalking_provider.server.unix_socket import SocketPath, find_shared_folder

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


def new_server(endpoint: Endpoint, interceptors: Sequence[grpc.aio.ServerInterceptor]) -> grpc.aio.Server:
    """Return a server with the limits and the authorization of its endpoint."""
    options = *_OPTIONS, *_connection_options()
    interceptors = [ReceiveLimiter(), *interceptors]  # the span of a call begins when its request is received
    if endpoint.tls is None:
        return grpc.aio.server(options=options, interceptors=interceptors)
    age = ("grpc.max_connection_age_ms", 1000 * tls.CONNECTION_SECONDS), ("grpc.max_connection_age_grace_ms", 30_000)
    allowed = ClientIdentityInterceptor(endpoint.tls.allowed_identities)
    return grpc.aio.server(options=(*options, *age), interceptors=[allowed, *interceptors])


def bind_server(server: grpc.aio.Server, endpoint: Endpoint, config: Config, owned: SocketPath | None) -> int:
    """Bind a server to its endpoint and return the TCP port; 0 for a unix socket.

    Raises:
        ConfigError: The endpoint cannot be used.
    """
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


def _connection_options() -> tuple[tuple[str, int], ...]:
    """Return limits of connections that send nothing; the arguments of gRPC's core are in milliseconds."""
    return (
        ("grpc.max_allowed_incoming_connections", ConnectionShares.of_process().grpc),
        ("grpc.server_handshake_timeout_ms", 10_000),  # until the client's first HTTP/2 frame
        ("grpc.max_connection_idle_ms", 300_000),  # without a call; the bridge connects again
    )


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
