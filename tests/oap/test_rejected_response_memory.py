"""Memory of rejected responses: it is free when the read has ended, without a run of the garbage collector.

The collector runs rarely, and one rejected response may have `maxAnswerBytes`.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Backend, open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.transport.bounded_response import BoundedResponse
from skywalking_provider.support.worker_thread import INLINE_SIZE

LIMIT = 256 * 1024
REJECTED = {
    "not JSON": (200, b"<html>"),
    "not JSON, decoded in the thread": (200, b"[" + b"1," * INLINE_SIZE),
    "too many values": (200, b'{"data": {"a": [' + b"{}," * (LIMIT // 4) + b"{}]}}"),
    "too large": (200, b'"' + b"x" * LIMIT + b'"'),
    "GraphQL error": (200, b'{"errors": [{"message": "%s"}]}' % (b"x" * INLINE_SIZE)),
    "without data": (200, b'{"data": null}'),
    "status 500": (500, b""),
}


@pytest.fixture
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(params=REJECTED)
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    status, body = REJECTED[request.param]

    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/graphql", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    config = BackendConfig(url=f"http://127.0.0.1:{runner.addresses[0][1]}", maxAnswerBytes=LIMIT, retries=0)
    async with open_backends({"prod": config}, lambda: datetime.now(UTC)) as backends:
        yield backends.select(None, None, "team-a")
    await runner.cleanup()


@pytest.mark.allow_slow_callbacks("searches all objects of the process")
@pytest.mark.usefixtures("_no_garbage_collection")
async def test_rejected_response_takes_no_memory_after_the_read(backend: Backend) -> None:
    for _ in range(3):
        try:
            data = await backend.read(GraphqlRequest("{ a }", {}), Deadline.after(60))
        except ProviderError:  # `pytest.raises` would keep it
            continue
        pytest.fail(f"not rejected: {data}")

    for _ in range(200):  # the event loop and the thread still hold the last one for a moment
        if not _count_responses():
            return
        await asyncio.sleep(0.01)
    assert _count_responses() == 0


def _count_responses() -> int:
    return sum(isinstance(one, BoundedResponse) for one in gc.get_objects())
