"""HTTP listener as a context manager; errors name the configuration key of the address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from skywalking_provider.config import ConfigError
from skywalking_provider.config.listeners import host_and_port

_MAX_HEADER_BYTES = 4096
_KEEP_ALIVE_SECONDS = 75.0  # of an idle connection: longer than the usual scrape interval of Prometheus
_SHUTDOWN_SECONDS = 2.0  # for downloads in progress when the service stops


@asynccontextmanager
async def http_listener(app: web.Application, key: str, address: str) -> AsyncIterator[str]:
    """Serve an application until the context ends.

    Args:
        app: Application to serve.
        key: Configuration key of the address, for the error message.
        address: Address to bind as host:port.

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
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(
                f"{key}: cannot listen on {address}: {error.strerror}. Set a free address of this machine."
            ) from error
        yield f"{address.rpartition(':')[0]}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _remove_server_header(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
