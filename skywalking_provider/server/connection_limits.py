"""Limits of an HTTP listener: number of connections, time and bytes until a request is complete, time of a response.

aiohttp bounds the size of one header and the idle time of a connection. Without further limits, connections that
send nothing take all descriptors of the process, those of the gRPC socket included.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

_LOG_INTERVAL_SECONDS = 60.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of one listener.

    Attributes:
        connections: Open connections; more than the backlog, so that a new connection is not closed unread.
        request_seconds: Time for a complete request, from the connection or from its first byte on.
        request_bytes: Bytes received for one request; no request of the listeners has a body.
        response_seconds: Time from a complete request to the next one.
        stall_seconds: Time without progress while the client does not read the response.
    """

    connections: int
    request_seconds: float = 10.0
    request_bytes: int = 32 * 1024
    response_seconds: float = 300.0
    stall_seconds: float = 30.0


class LimitedConnections:
    """Open connections of a listener, and the decision which of them to close.

    A connection beyond the limit closes another one instead of being refused, so that probes are answered while the
    listener is flooded. That is the one with the oldest request of the peer with the most connections; connections
    without a request in progress go first.

    Args:
        key: Configuration key of the listener's address, for the log.
        limits: Limits of the listener.
    """

    def __init__(self, key: str, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._key = key
        self._open: dict[asyncio.BaseTransport, _Connection] = {}  # the oldest first
        self._logged_at = -_LOG_INTERVAL_SECONDS

    def build_protocol(self, protocol: asyncio.Protocol) -> asyncio.Protocol:
        """Return the limited protocol of a new connection, for its HTTP protocol."""
        return _Connection(self, protocol)

    def add(self, connection: "_Connection") -> None:
        """Add a connection, and close another one if there are too many."""
        if len(self._open) >= self.limits.connections:
            self._report_limit()
            self._select_connection_to_close().close()
        self._open[connection.transport] = connection

    def remove(self, connection: "_Connection") -> None:
        """Remove a connection that is closed."""
        self._open.pop(connection.transport, None)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note that a request is complete, and when its handler has returned."""
        connection = self._open.get(cast("asyncio.BaseTransport", request.transport))
        if connection is None:
            return await handler(request)
        self._open[connection.transport] = self._open.pop(connection.transport)
        connection.request_began()
        try:
            return await handler(request)
        finally:
            connection.handler_returned()

    def _report_limit(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LOG_INTERVAL_SECONDS:
            self._logged_at = now
            _log.warning(
                "limit of HTTP connections reached, older ones are closed", key=self._key, limit=len(self._open)
            )

    def _select_connection_to_close(self) -> "_Connection":
        numbers = Counter(one.peer for one in self._open.values())
        [(peer, _)] = numbers.most_common(1)
        candidates = [one for one in self._open.values() if one.peer == peer]
        return next((one for one in candidates if not one.busy), candidates[0])


class _Connection(asyncio.Protocol):
    """Protocol that passes everything to the HTTP protocol and closes the connection at a limit."""

    transport: asyncio.Transport

    def __init__(self, listener: LimitedConnections, protocol: asyncio.Protocol) -> None:
        self._listener = listener
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._unused_bytes = 0  # received since the last complete request
        self._waiting = False  # for the rest of a request
        self._in_handler = False
        self.peer: Any = None

    @property
    def busy(self) -> bool:
        """Whether a response is in progress."""
        return self._in_handler or self.transport.get_write_buffer_size() > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername")
        self.peer = address[0] if address else None
        self._protocol.connection_made(transport)
        self._listener.add(self)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.remove(self)
        for timer in (self._timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._protocol.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._waiting:
            self._wait_for_request()
        self._unused_bytes += len(data)
        if self._unused_bytes > self._listener.limits.request_bytes:
            self.close()
            return
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._stall_timer = self._loop.call_later(self._listener.limits.stall_seconds, self.close)
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        self._protocol.resume_writing()

    def request_began(self) -> None:
        self._unused_bytes = 0
        self._waiting = False
        self._in_handler = True
        self._start_timer(self._listener.limits.response_seconds)

    def handler_returned(self) -> None:
        self._in_handler = False

    def close(self) -> None:
        self._listener.remove(self)
        self.transport.abort()  # a graceful end would wait for the client

    def _wait_for_request(self) -> None:
        self._waiting = True
        self._start_timer(self._listener.limits.request_seconds)

    def _start_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.close)
