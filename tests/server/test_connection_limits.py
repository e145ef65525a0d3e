"""Limits of HTTP connections, with short times: what is closed, and what is not."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, cast

import pytest
import uvloop
from aiohttp import web

from skywalking_provider.server.connection_limits import ConnectionLimits
from skywalking_provider.server.descriptors import ConnectionShares
from skywalking_provider.server.http_listener import http_listener

LIMITS = ConnectionLimits(8)  # with the times of the service, so that a slow machine closes nothing by time
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE_BODY = b"x" * (32 << 20)  # more than the kernel buffers

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def on_uvloop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on the loop of the service."""

    @functools.wraps(test)
    def run(*args: Any, **keywords: Any) -> None:
        uvloop.run(test(*args, **keywords))

    return run


@asynccontextmanager
async def serve(limits: ConnectionLimits, body: bytes = b"ok", seconds: float = 0) -> AsyncIterator["Client"]:
    handled = asyncio.Event()

    async def respond(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        try:
            await response.write(body)
        finally:
            handled.set()
        return response

    app = web.Application(client_max_size=0)
    app.add_routes([web.get("/", respond)])
    async with http_listener(app, "http.listen", "127.0.0.1:0", limits) as address:
        client = Client(int(address.rpartition(":")[2]), handled)
        yield client
        for _, writer in client.opened:
            writer.close()


class Client:
    """Opens connections to the listener.

    Attributes:
        opened: Connections opened so far.
        handled: Event of the first response that was sent or aborted.
    """

    def __init__(self, port: int, handled: asyncio.Event) -> None:
        self._port = port
        self.handled = handled
        self.opened: list[Connection] = []

    async def open(self, data: bytes = b"", source: str = "127.0.0.1") -> Connection:
        connection = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(source, 0))
        connection[1].write(data)
        self.opened.append(connection)
        return connection

    async def is_answered(self, connection: Connection) -> bool:
        reader, writer = connection
        try:
            writer.write(REQUEST)
            return (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
        except (ConnectionError, asyncio.IncompleteReadError):
            return False


async def wait_until_closed(connection: Connection) -> None:
    with suppress(ConnectionError):
        while await connection[0].read(65536):
            pass


@pytest.mark.parametrize("data", [b"", b"GET", REQUEST[:-2], b"POST / HTTP/1.1\r\nContent-Le"])
@on_uvloop
async def test_connection_without_a_complete_request_is_closed(data: bytes) -> None:
    async with serve(replace(LIMITS, request_seconds=0.1)) as client:
        await wait_until_closed(await client.open(data))


@on_uvloop
async def test_second_request_that_does_not_end_closes_the_connection() -> None:
    async with serve(replace(LIMITS, request_seconds=3)) as client:
        connection = await client.open()
        assert await client.is_answered(connection)

        connection[1].write(b"GET / HT")

        await wait_until_closed(connection)


@on_uvloop
async def test_response_that_takes_longer_than_a_request_is_sent() -> None:
    async with serve(replace(LIMITS, request_seconds=3), seconds=4) as client:
        assert await client.is_answered(await client.open(REQUEST))


@on_uvloop
async def test_response_that_is_not_read_closes_the_connection() -> None:
    async with serve(replace(LIMITS, stall_seconds=0.1), body=LARGE_BODY) as client:
        reader, writer = await client.open(REQUEST)
        transport = cast("asyncio.Transport", writer.transport)
        transport.pause_reading()
        await client.handled.wait()
        transport.resume_reading()

        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(len(LARGE_BODY))


@on_uvloop
async def test_large_response_that_is_read_arrives() -> None:
    async with serve(LIMITS, body=LARGE_BODY) as client:
        reader, _ = await client.open(REQUEST)

        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(LARGE_BODY)) == LARGE_BODY


@on_uvloop
async def test_pipelined_requests_are_answered() -> None:
    async with serve(LIMITS) as client:
        reader, _ = await client.open(REQUEST * 100)

        for _ in range(100):
            assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("count", [40, 4000])
@on_uvloop
async def test_many_headers_close_the_connection_or_are_rejected(count: int) -> None:
    async with serve(LIMITS) as client:
        reader, _ = await client.open(b"GET / HTTP/1.1\r\n" + b"A: %s\r\n" % (b"x" * 1000) * count)

        with suppress(ConnectionError):
            assert b" 200 " not in await reader.read()


@on_uvloop
async def test_connection_beyond_the_limit_closes_the_oldest_idle_one() -> None:
    async with serve(LIMITS) as client:
        connections = [await client.open() for _ in range(LIMITS.connections)]
        for connection in (*connections[1:], connections[0]):  # the second one has the oldest request
            assert await client.is_answered(connection)

        assert await client.is_answered(await client.open())

        await wait_until_closed(connections[1])
        for connection in (*connections[2:], connections[0]):
            assert await client.is_answered(connection)


@on_uvloop
async def test_connection_with_a_response_in_progress_is_closed_last() -> None:
    async with serve(LIMITS, seconds=1) as client:
        busy = await client.open(REQUEST)
        await asyncio.sleep(0.1)

        for _ in range(3 * LIMITS.connections):
            await client.open()

        assert (await busy[0].readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")


@on_uvloop
async def test_responses_in_progress_do_not_reserve_the_listener() -> None:
    async with serve(LIMITS, body=LARGE_BODY) as client:
        busy = [await client.open(REQUEST) for _ in range(LIMITS.connections)]
        for reader, _ in busy:
            await reader.readuntil(b"\r\n\r\n")

        reader, _ = await client.open(REQUEST)

        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")


@on_uvloop
async def test_peer_with_the_most_connections_loses_one() -> None:
    async with serve(LIMITS) as client:
        quiet = await client.open(source="127.0.0.2")
        assert await client.is_answered(quiet)

        for _ in range(3 * LIMITS.connections):
            await client.open()

        assert await client.is_answered(quiet)


@pytest.mark.parametrize("descriptors", [64, 256, 1024, 4096, 2**20])
def test_shares_leave_a_third_of_the_descriptors(descriptors: int) -> None:
    shares = ConnectionShares.of_limit(descriptors)

    assert shares.grpc + shares.http + shares.page < descriptors * 2 / 3
    assert min(shares.grpc, shares.http) >= 16
