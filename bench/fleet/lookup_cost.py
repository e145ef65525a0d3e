"""CPU time of one round trip over loopback TCP: a lower bound of a lookup in a cache that replicas share.

The server is a process of its own that sends a response of a fixed size, as a store would. The client parses nothing,
has no TLS, no pool and no authentication, so that a client of Redis or memcached costs more.
"""

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from statistics import median
from typing import Final

import uvloop

RESPONSE_BYTES: Final = 1024  # a packed response for the canary's minutes has 0.5 to 2 KiB
_KEY: Final = b"k" * 16  # the response cache's digest
_ROUND_TRIPS: Final = 2_000
_IN_FLIGHT: Final = 16
_REPETITIONS: Final = 5


def measure_lookup_ms() -> float:
    """Return the client's CPU time of one round trip in milliseconds, with several in flight."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        return uvloop.run(_measure(ours.recv()))
    finally:
        server.kill()
        server.join()


async def _measure(port: int) -> float:
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(_IN_FLIGHT)]

    async def make_round_trips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(_ROUND_TRIPS // _IN_FLIGHT):
            writer.write(_KEY)
            await reader.readexactly(RESPONSE_BYTES)

    times = []
    for _ in range(_REPETITIONS):
        began = time.process_time()
        await asyncio.gather(*(make_round_trips(*one) for one in connections))
        times.append(1000 * (time.process_time() - began) / _ROUND_TRIPS)
    for _, writer in connections:
        writer.close()
    return median(times)


def _serve(pipe: Connection) -> None:
    uvloop.run(_respond_forever(pipe))


async def _respond_forever(pipe: Connection) -> None:
    response = b"v" * RESPONSE_BYTES

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readexactly(len(_KEY)):
                writer.write(response)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
