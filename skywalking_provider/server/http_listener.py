"""One HTTP listener: bound or refused with the key that names it, and closed when its context ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from skywalking_provider.config import ConfigError
from skywalking_provider.config.listeners import host_and_port

_MAX_HEADER_BYTES = 4096
_KEEP_ALIVE_SECONDS = 75.0  # that an idle connection stays open; a Prometheus asks more often
_SHUTDOWN_SECONDS = 2.0  # for a download that is not finished when the service ends


@asynccontextmanager
async def http_listener(app: web.Application, key: str, address: str) -> AsyncIterator[str]:
    """Serve an application for as long as the context lasts.

    Args:
        app: What to serve.
        key: Of the configuration, for the message.
        address: host:port.

    Yields:
        The address with the port that was bound, which is another one where it says 0.

    Raises:
        ConfigError: The address cannot be used.
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
                f"{key}: cannot serve on {address}: is it in use, or not of this machine? ({error.strerror})"
            ) from error
        yield f"{address.rpartition(':')[0]}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _remove_server_header(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
