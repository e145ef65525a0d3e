"""Readiness: it follows the health of its dependency, and ends with the service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc_health.v1 import health_pb2

from skywalking_provider.server.readiness import Readiness


class FakeDependency:
    """A dependency that recovers after some attempts. An attempt may raise an error."""

    def __init__(self) -> None:
        self.healthy = True
        self.attempts_needed = 0
        self.error: Exception | None = None
        self.attempts = 0

    async def recover(self) -> None:
        self.attempts += 1
        self.attempts_needed -= 1
        if self.error is not None:
            raise self.error
        self.healthy = self.attempts_needed <= 0


@asynccontextmanager
async def watching(readiness: Readiness, dependency: FakeDependency) -> AsyncIterator[None]:
    watch = asyncio.create_task(readiness.watch(dependency, interval=0.001))
    try:
        yield
    finally:
        assert not watch.done()
        watch.cancel()
        await asyncio.wait([watch])


async def wait_for(readiness: Readiness, *, ready: bool) -> None:
    async with asyncio.timeout(60):
        while readiness.ready is not ready:  # noqa: ASYNC110 - no event reports it
            await asyncio.sleep(0.001)


async def grpc_status(readiness: Readiness) -> int:
    response = await readiness.servicer.Check(health_pb2.HealthCheckRequest(service="service"), None)
    return int(response.status)


async def test_readiness_follows_the_health_of_its_dependency() -> None:
    readiness, dependency = Readiness("service"), FakeDependency()
    async with watching(readiness, dependency):
        await readiness.begin()
        assert readiness.ready
        for _ in range(2):
            dependency.healthy, dependency.attempts_needed = False, 1_000_000
            await wait_for(readiness, ready=False)
            assert await grpc_status(readiness) == health_pb2.HealthCheckResponse.NOT_SERVING
            dependency.attempts_needed = 1
            await wait_for(readiness, ready=True)
            assert await grpc_status(readiness) == health_pb2.HealthCheckResponse.SERVING


async def test_readiness_recovers_after_an_attempt_that_failed() -> None:
    readiness, dependency = Readiness("service"), FakeDependency()
    async with watching(readiness, dependency):
        await readiness.begin()
        dependency.healthy, dependency.error = False, RuntimeError("bug")
        await wait_for(readiness, ready=False)
        dependency.error = None
        await wait_for(readiness, ready=True)


async def test_readiness_of_a_stopping_service_does_not_return() -> None:
    readiness, dependency = Readiness("service"), FakeDependency()
    async with watching(readiness, dependency):
        await readiness.begin()
        dependency.healthy, dependency.attempts_needed = False, 1_000_000
        await wait_for(readiness, ready=False)
        await readiness.end()
        dependency.attempts_needed = 1
        async with asyncio.timeout(60):
            while not dependency.healthy:  # noqa: ASYNC110 - no event reports it
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert not readiness.ready
        assert await grpc_status(readiness) == health_pb2.HealthCheckResponse.NOT_SERVING
