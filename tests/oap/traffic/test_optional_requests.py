"""Optional requests: no verdict depends on them, so they give way to all others and change nothing for them."""

import asyncio
from typing import Any

import pytest

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.observer import Circuit
from tests.oap.traffic.test_pipeline import EventLog, Failing, request
from tests.oap.virtual_time import (
    ScriptedClient,
    connection_refused_error,
    deadline_after,
    in_virtual_time,
    monotonic,
    open_scripted_backends,
    timeout_error,
)


async def a_second(_: GraphqlRequest) -> dict[str, Any]:
    await asyncio.sleep(1)
    return {"a": 1}


def optional(number: int) -> GraphqlRequest:
    return GraphqlRequest("{ n }", {"n": number}, optional=True)


async def is_sent(backend: Backend, number: int) -> bool:
    try:
        await backend.read(optional(number), deadline_after(10))
    except BackendUnavailableError as error:
        return error.kind is not FailureKind.OVERLOADED
    return True


@pytest.mark.parametrize(("slots", "taken", "sent"), [(1, 0, True), (4, 1, True), (4, 2, False), (1, 1, False)])
@in_virtual_time
async def test_optional_request_is_sent_only_while_half_of_the_slots_stay_free(
    slots: int, taken: int, sent: bool
) -> None:
    async with open_scripted_backends({"prod": ScriptedClient(a_second)}, maxRequests=slots) as backends:
        backend = backends.select(None, None, "team")
        reads = [asyncio.create_task(backend.read(request(at), deadline_after(10))) for at in range(taken)]
        await asyncio.sleep(0.5)
        assert await is_sent(backend, 99) is sent
        await asyncio.gather(*reads)


@in_virtual_time
async def test_optional_request_is_rejected_while_another_one_waits() -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, maxRequests=8) as backends:
        greedy, modest = (backends.select(None, None, name) for name in ("greedy", "modest"))
        reads = [asyncio.create_task(greedy.read(request(at), deadline_after(10))) for at in range(20)]
        await asyncio.sleep(0.5)
        started_at = monotonic()
        assert not await is_sent(modest, 99)
        assert monotonic() == started_at
        await asyncio.gather(*reads)


@pytest.mark.parametrize(
    "error",
    [connection_refused_error(), timeout_error(), ProviderError(Reason.QUERY_INVALID, "unknown field")],
    ids=["connection", "timeout", "rejected"],
)
@in_virtual_time
async def test_failed_optional_request_is_not_retried_and_pauses_the_next_for_a_minute(error: Exception) -> None:
    log = EventLog()
    oap = ScriptedClient(Failing(error, times=1))
    async with open_scripted_backends({"prod": oap}, log, retries=3, circuit={"failures": 1}) as backends:
        backend = backends.select(None, None, "team")
        with pytest.raises(ProviderError):
            await backend.read(optional(1), deadline_after(10))
        assert (len(oap.requests), log.retries, log.circuits) == (1, 0, [])
        assert not await is_sent(backend, 2)
        assert await backend.read(request(3), deadline_after(10)) == {"n": 3}
        await asyncio.sleep(60)
        assert await is_sent(backend, 4)


@in_virtual_time
async def test_hanging_optional_request_ends_with_the_deadline_of_its_caller() -> None:
    class Hanging(ScriptedClient):
        async def read(self, request: GraphqlRequest, deadline: Any) -> dict[str, Any]:
            async with asyncio.timeout(deadline.remaining):
                return await super().read(request, deadline)

    async def hang(_: GraphqlRequest) -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    oap = Hanging(hang)
    async with open_scripted_backends({"prod": oap}, timeout="60s") as backends:
        with pytest.raises(BackendUnavailableError):
            await backends.select(None, None, "team").read(optional(1), deadline_after(2))
        await asyncio.sleep(0.01)
        assert (oap.in_flight, round(monotonic())) == (0, 2)


@in_virtual_time
async def test_optional_request_is_not_sent_through_an_open_breaker() -> None:
    log = EventLog()
    oap = ScriptedClient(Failing(connection_refused_error()))
    async with open_scripted_backends({"prod": oap}, log, retries=0, circuit={"failures": 1}) as backends:
        backend = backends.select(None, None, "team")
        with pytest.raises(BackendUnavailableError):
            await backend.read(request(1), deadline_after(10))
        assert log.circuits == [Circuit.OPEN]
        await asyncio.sleep(3600)
        assert not await is_sent(backend, 2)  # the probe is a request that a verdict needs
        assert len(oap.requests) == 1


@in_virtual_time
async def test_request_of_a_verdict_does_not_join_an_optional_one() -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        await asyncio.gather(*(backend.read(one, deadline_after(10)) for one in (optional(1), request(1))))
        assert len(oap.requests) == 2
