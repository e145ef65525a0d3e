"""HTTP listener with limits, as a context manager; errors name the configuration key of the address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web

from skywalking_provider.config import ConfigError
from skywalking_provider.config.listeners import host_and_port
from skywalking_provider.server.connection_limits import ConnectionLimits, LimitedConnections

_MAX_HEADER_BYTES = 4096
_KEEP_ALIVE_SECONDS = 75.0  # of an idle connection: longer than the usual scrape interval of Prometheus
_SHUTDOWN_SECONDS = 2.0  # for downloads in progress when the service stops


@asynccontextmanager
async def http_listener(app: web.Application, key: str, address: str, limits: ConnectionLimits) -> AsyncIterator[str]:
    """Serve an application until the context ends.

    Args:
        app: Application to serve.
        key: Configuration key of the address, for the error message.
        address: Address to bind as host:port.
        limits: Limits of the connections.

    Yields:
        The bound address; port 0 is replaced by the chosen port.

    Raises:
        ConfigError: The address cannot be bound.
    """
    host, port = host_and_port(address)
    app.on_response_prepare.append(_remove_server_header)
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
    )
    connections = LimitedConnections(key, limits)
    app.middlewares.insert(0, connections.middleware)
    await runner.setup()
    try:
        try:
            server = await _listen(runner, connections, host, port)
        except OSError as error:
            raise ConfigError(
                f"{key}: cannot listen on {address}: {error.strerror}. Set a free address of this machine."
            ) from error
        try:
            yield f"{address.rpartition(':')[0]}:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, connections: LimitedConnections, host: str, port: int) -> asyncio.Server:
    new_protocol = cast("web.Server", runner.server)
    # A connection waits in the backlog until it is accepted. Were the backlog longer than the limit, connections
    # accepted at once could close each other before their requests are read.
    backlog = max(1, connections.limits.connections // 2)
    return await asyncio.get_running_loop().create_server(
        lambda: connections.build_protocol(new_protocol()), host, port, backlog=backlog
    )


async def _remove_server_header(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
