"""Single flight: identical reads share one request, and nothing else is shared."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline
from skywalking_provider.oap.api.request import GraphqlRequest
from tests.oap.virtual_time import (
    NO_CACHE,
    ScriptedClient,
    connection_refused_error,
    deadline_after,
    in_virtual_time,
    monotonic,
    open_scripted_backends,
)

FIRST, SECOND = (
    GraphqlRequest("{ a }", {"duration": {"start": "1"}}),
    GraphqlRequest("{ a }", {"duration": {"start": "2"}}),
)


class Gate:
    """Script that responds when the test opens it."""

    def __init__(self, respond: Callable[[], Any] = lambda: {"a": 1}) -> None:
        self.opened = asyncio.Event()
        self._respond = respond

    async def __call__(self, _: GraphqlRequest) -> dict[str, Any]:
        await self.opened.wait()
        data: dict[str, Any] = self._respond()
        return data


async def respond_at_once(_: GraphqlRequest) -> dict[str, Any]:
    return {"a": 1}


def fail() -> Any:
    raise BackendUnavailableError("500", kind=FailureKind.SERVER_ERROR)


def soon() -> Deadline:
    return deadline_after(5)


@in_virtual_time
async def test_thousand_identical_reads_are_one_request() -> None:
    oap = ScriptedClient(gate := Gate())
    async with open_scripted_backends({"prod": oap}) as backends:
        teams = [backends.select(None, None, f"team-{at}") for at in range(10)]
        reads = [asyncio.create_task(team.read(FIRST, soon())) for team in teams for _ in range(100)]
        await asyncio.sleep(0.1)
        gate.opened.set()

        assert await asyncio.gather(*reads) == [{"a": 1}] * 1000
        assert await teams[0].read(FIRST, soon()) == {"a": 1}
    assert len(oap.requests) == 1


@in_virtual_time
async def test_reads_of_other_windows_are_not_shared() -> None:
    oap = ScriptedClient(respond_at_once)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        await backend.read(FIRST, soon())
        await backend.read(SECOND, soon())

    assert [read for _, read in oap.requests] == [FIRST, SECOND]


@in_virtual_time
async def test_responses_are_not_shared_between_backends() -> None:
    async def other(_: GraphqlRequest) -> dict[str, Any]:
        return {"a": 2}

    oaps = {"prod": ScriptedClient(respond_at_once), "test": ScriptedClient(other)}
    async with open_scripted_backends(oaps) as backends:
        responses = [await backends.select(name, None, "team").read(FIRST, soon()) for name in ("prod", "test", "prod")]

    assert responses == [{"a": 1}, {"a": 2}, {"a": 1}]


def test_responses_are_not_shared_between_versions_of_the_credentials(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")

    @in_virtual_time
    async def rotate() -> None:
        oap = ScriptedClient(respond_at_once)
        async with open_scripted_backends({"prod": oap}, bearer={"tokenFile": str(token)}) as backends:
            backend = backends.select(None, None, "team")
            await backend.read(FIRST, soon())
            await backend.read(FIRST, soon())
            assert len(oap.requests) == 1

            rotated = tmp_path / "new"
            rotated.write_text("two")
            rotated.replace(token)
            await backend.read(FIRST, soon())
            assert len(oap.requests) == 2

            token.unlink()
            with pytest.raises(BackendUnavailableError, match="cannot be read"):
                await backend.read(FIRST, soon())

    rotate()


@in_virtual_time
async def test_failure_is_shared_by_its_callers_and_not_cached() -> None:
    oap = ScriptedClient(gate := Gate(fail))
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        reads = [asyncio.create_task(backend.read(FIRST, soon())) for _ in range(10)]
        await asyncio.sleep(0.1)
        gate.opened.set()

        results = await asyncio.gather(*reads, return_exceptions=True)
        with pytest.raises(BackendUnavailableError):
            await backend.read(FIRST, soon())

    assert all(isinstance(result, BackendUnavailableError) for result in results)
    assert len(oap.requests) == 2


@in_virtual_time
async def test_caller_that_leaves_does_not_cancel_the_request_of_others() -> None:
    oap = ScriptedClient(gate := Gate())
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        leaving = asyncio.create_task(backend.read(FIRST, soon()))
        staying = asyncio.create_task(backend.read(FIRST, soon()))
        await asyncio.sleep(0.1)

        leaving.cancel()
        await asyncio.wait({leaving})
        gate.opened.set()

        assert await staying == {"a": 1}
    assert leaving.cancelled()
    assert len(oap.requests) == 1


@in_virtual_time
async def test_shared_request_lasts_until_the_latest_deadline() -> None:
    async def slow(_: GraphqlRequest) -> dict[str, Any]:
        await asyncio.sleep(3)
        return {"a": 1}

    oap = ScriptedClient(slow)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        short = asyncio.create_task(backend.read(FIRST, deadline_after(1)))
        long = asyncio.create_task(backend.read(FIRST, deadline_after(5)))

        with pytest.raises(BackendUnavailableError, match="backend prod did not respond before the deadline"):
            await short
        assert monotonic() == 1.0
        assert await long == {"a": 1}
    assert len(oap.requests) == 1


@in_virtual_time
async def test_sent_request_without_callers_is_completed_and_cached() -> None:
    async def slow(_: GraphqlRequest) -> dict[str, Any]:
        await asyncio.sleep(3)
        return {"a": 1}

    oap = ScriptedClient(slow)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        with pytest.raises(BackendUnavailableError):
            await backend.read(FIRST, deadline_after(1))
        await asyncio.sleep(4)

        assert await backend.read(FIRST, soon()) == {"a": 1}
    assert len(oap.requests) == 1


@in_virtual_time
async def test_failed_request_without_callers_is_not_retried() -> None:
    async def down(_: GraphqlRequest) -> dict[str, Any]:
        await asyncio.sleep(0.2)
        raise connection_refused_error()

    oap = ScriptedClient(down)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        reading = asyncio.create_task(backend.read(FIRST, deadline_after(60)))
        await asyncio.sleep(0.1)
        reading.cancel()
        await asyncio.sleep(60)

    assert len(oap.requests) == 1


@in_virtual_time
async def test_without_a_ttl_only_concurrent_reads_are_shared() -> None:
    oap = ScriptedClient(respond_at_once)
    async with open_scripted_backends({"prod": oap}, cache=NO_CACHE) as backends:
        backend = backends.select(None, None, "team")
        await backend.read(FIRST, soon())
        await backend.read(FIRST, soon())

    assert len(oap.requests) == 2


@in_virtual_time
async def test_close_cancels_the_requests_in_flight() -> None:
    oap = ScriptedClient(Gate())
    async with open_scripted_backends({"prod": oap}) as backends:
        read = asyncio.create_task(backends.select(None, None, "team").read(FIRST, soon()))
        await asyncio.sleep(0.1)

    with pytest.raises(asyncio.CancelledError):
        await read
    assert oap.in_flight == 0
