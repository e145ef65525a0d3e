"""Limits of responses: a hostile OAP cannot exhaust the provider by size, compression, depth, headers or time."""

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import uvloop

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import open_backends
from tests.cpu_time import measure_cpu_time

MEBIBYTE = 1024 * 1024
LIMIT = MEBIBYTE // 4
QUERY = """query q($duration: Duration!) { apdex: readMetricsValues(
  condition: {name: "service_apdex", entity: {scope: Service, serviceName: "a", normal: true}}, duration: $duration)
  { label values { values { value } } } }"""
BLOCK = {"interval": "3m", "query": QUERY, "compatibility": "argo"}  # one request, no clock, no schema

SendResponse = Callable[[asyncio.StreamWriter], Awaitable[None]]


def complete(body: bytes, **headers: str) -> SendResponse:
    """Build an HTTP response with a body."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        lines = {"Content-Type": "application/json", "Content-Length": str(len(body))} | headers
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body)
        await writer.drain()

    return respond


def endless(start: bytes, piece: bytes) -> SendResponse:
    """Build a response that never ends, as fast as it is read."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()

    return respond


def slow(start: bytes, piece: bytes) -> SendResponse:
    """Build a response that never ends, one piece every 10 ms."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    return respond


@asynccontextmanager
async def engine(respond: SendResponse, **keys: Any) -> AsyncIterator[Engine]:
    """Open an engine whose backend sends this response; the server ends with its clients."""
    serving: set[Any] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):  # a client may time out before it sends anything
            await reader.readuntil(b"\r\n\r\n")
            await respond(writer)
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        config = BackendConfig.model_validate(
            {"url": f"http://127.0.0.1:{port}", "maxAnswerBytes": LIMIT, "timeout": "5s", "retries": 0} | keys
        )
        evaluator = await stack.enter_async_context(open_condition_evaluator())
        async with open_backends({"prod": config}, lambda: datetime.now(UTC)) as backends:
            yield Engine(backends, evaluator)
        await asyncio.gather(*serving)


async def measure(respond: SendResponse, seconds: float = 10, condition: str = "true", **keys: Any) -> Measurement:
    async with engine(respond, **keys) as ready:
        metric = Metric("apdex", condition, "", json.dumps(BLOCK).encode())
        return await ready.run(metric, Run(namespace="team-a"), Deadline.after(seconds))


def points(count: int) -> bytes:
    values = [{"value": 1}] * count
    return json.dumps({"data": {"apdex": {"label": None, "values": {"values": values}}}}).encode()


BOMB = b'{"data": {"apdex": "' + b"x" * (64 * MEBIBYTE) + b'"}}'
COMPRESSED = {
    "gzip": gzip.compress(BOMB, 9),
    "deflate": zlib.compress(BOMB, 9),
    "gzip in small pieces": gzip.compress(BOMB, 1),
}


@pytest.mark.parametrize("kind", COMPRESSED)
async def test_compressed_bomb_is_rejected_before_it_is_decompressed(kind: str) -> None:
    assert len(BOMB) > 200 * len(COMPRESSED[kind])
    tracemalloc.start()
    try:
        measurement = await measure(complete(COMPRESSED[kind], **{"Content-Encoding": kind.split(maxsplit=1)[0]}))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert measurement.phase is Phase.ERROR
    too_large = f"backend prod: response is larger than {LIMIT} bytes"
    assert measurement.message.startswith(f"OAP_RESPONSE_INVALID {too_large}")
    assert peak < 16 * MEBIBYTE


async def test_nested_compressed_bomb_gives_no_value() -> None:
    twice = gzip.compress(COMPRESSED["gzip"], 9)

    measurement = await measure(complete(twice, **{"Content-Encoding": "gzip, gzip"}))

    assert measurement.phase in (Phase.ERROR, Phase.RUNNING)
    assert measurement.value == ""


@pytest.mark.parametrize("size", [LIMIT + 1, 8 * LIMIT])
async def test_too_large_response_is_rejected(size: int) -> None:
    body = b'{"data": {"apdex": "' + b"x" * size + b'"}}'

    measurement = await measure(complete(body))

    assert measurement.message.startswith("OAP_RESPONSE_INVALID backend prod: response is larger than")
    assert "Request less" in measurement.message


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNK = b"1000\r\n" + b"x" * 4096 + b"\r\n"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (HEAD + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"data":\r\n', CHUNK),
        (HEAD + b'\r\n{"data": "', b"x" * 4096),
    ],
    ids=["chunks", "until the connection closes"],
)
async def test_endless_response_is_rejected_at_the_limit(start: bytes, piece: bytes) -> None:
    measurement = await measure(endless(start, piece))

    assert measurement.message.startswith("OAP_RESPONSE_INVALID backend prod: response is larger than")


@pytest.mark.allow_slow_callbacks("the test's server writes endlessly, and tracemalloc slows it down")
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Header: x\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Header: ", b"x" * 4096),
        (b"HTTP/1.1 200 ", b"O" * 4096),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 4096),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 4096),
    ],
    ids=["headers", "a header", "a reason", "informational responses", "a chunk's size", "a chunk's extension"],
)
async def test_data_before_a_body_is_bounded(start: bytes, piece: bytes) -> None:
    tracemalloc.start()
    try:
        measurement = await measure(endless(start, piece), timeout="1s")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("OAP_UNAVAILABLE ")
    assert len(measurement.message) <= 1024
    assert peak < 32 * MEBIBYTE


async def test_few_informational_responses_are_skipped() -> None:
    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 8)
        await complete(points(5000))(writer)

    measurement = await measure(respond)

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message


def test_responses_to_one_request_are_bounded_on_uvloop() -> None:
    tracemalloc.start()
    try:
        measurement = uvloop.run(
            # The bound on responses must end the request, so the time limits are longer than a busy machine needs.
            measure(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), seconds=100, timeout="90s")
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert measurement.message.startswith("OAP_UNAVAILABLE ")
    assert "too many responses to one request" in measurement.message
    assert peak < 32 * MEBIBYTE


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Header: ", b"x"),
        (HEAD + b'Content-Length: 100000\r\n\r\n{"data": "', b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["a status line", "a header", "a body", "chunks"],
)
@pytest.mark.parametrize(("limit", "seconds"), [("300ms", 100), ("90s", 0.6)])
async def test_slowly_sent_response_ends_by_its_time_limit(
    start: bytes, piece: bytes, limit: str, seconds: float
) -> None:
    async with engine(slow(start, piece), timeout=limit, retries=0) as ready:
        metric = Metric("apdex", "true", "", json.dumps(BLOCK).encode())
        began = time.monotonic()
        measurement = await ready.run(metric, Run(namespace="team-a"), Deadline.after(seconds))
        took = time.monotonic() - began

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("OAP_UNAVAILABLE ")
    assert took < 60  # the machine may be busy; the other limit is 90 s or more


@pytest.mark.parametrize("depth", [100, 900, 5_000, 60_000])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
async def test_deeply_nested_response_is_not_an_internal_error(depth: int, opened: str, closed: str) -> None:
    body = f'{{"data": {{"apdex": {opened * depth}1{closed * depth}}}}}'.encode()

    measurement = await measure(complete(body), maxAnswerBytes=4 * MEBIBYTE)

    if depth < 1_000:  # Argo's own provider accepts this depth
        assert measurement.phase is Phase.SUCCESSFUL
    else:
        assert measurement.phase in (Phase.ERROR, Phase.RUNNING)
        assert measurement.message.split()[0] in ("OAP_RESPONSE_INVALID", "OAP_UNAVAILABLE")


@pytest.mark.parametrize("number", ["1" * 5_000, "1e400", "-1e400", "NaN", "Infinity", "1" * 100_000])
async def test_invalid_number_is_not_an_internal_error(number: str) -> None:
    body = f'{{"data": {{"apdex": {{"label": "x", "values": {{"values": [{{"value": {number}}}]}}}}}}}}'.encode()

    measurement = await measure(complete(body))

    assert measurement.phase in (Phase.ERROR, Phase.RUNNING)
    assert measurement.message.split()[0] in ("OAP_RESPONSE_INVALID", "OAP_UNAVAILABLE")


async def test_too_many_points_are_an_error_with_a_hint() -> None:
    measurement = await measure(complete(points(120_000)), seconds=60, maxAnswerBytes=8 * MEBIBYTE, timeout="60s")

    assert measurement.phase is Phase.ERROR
    assert "limit 1,048,576. Select fewer fields" in measurement.message
    assert measurement.value == ""


async def test_large_response_does_not_block_the_event_loop() -> None:
    """Each step on the event loop processes a bounded amount of data."""
    slowest = 0.0

    async def measure_delays() -> None:
        nonlocal slowest
        while True:
            began = time.thread_time()  # the CPU time of the loop's thread: other processes do not count
            await asyncio.sleep(0.001)
            slowest = max(slowest, time.thread_time() - began)

    with measure_cpu_time():  # without garbage collection
        measuring = asyncio.create_task(measure_delays())
        await measure(complete(COMPRESSED["gzip"], **{"Content-Encoding": "gzip"}))
        measuring.cancel()

    assert slowest < 1
