"""Request pipeline: retries, and the circuit breaker in front of the OAP."""

import asyncio
import contextlib
import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from structlog.testing import capture_logs

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap import Backend, Observer
from skywalking_provider.oap.api.features import HEALTH_REQUEST
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.observer import Circuit
from tests.oap.virtual_time import (
    NO_CACHE,
    NOON,
    ScriptedClient,
    connection_refused_error,
    deadline_after,
    in_virtual_time,
    monotonic,
    open_scripted_backends,
    timeout_error,
)


class EventLog(Observer):
    def __init__(self) -> None:
        self.retries = 0
        self.circuits: list[Circuit] = []

    def retried(self, _: str) -> None:
        self.retries += 1

    def circuit_changed(self, _: str, state: Circuit) -> None:
        self.circuits.append(state)


class Failing:
    """Script that fails with an error a number of times, after some seconds."""

    def __init__(self, error: Exception, seconds: float = 0.0, times: int = 10**9) -> None:
        self.error = error
        self.takes = seconds
        self.times = times

    async def __call__(self, read: GraphqlRequest) -> dict[str, Any]:
        self.times -= 1
        await asyncio.sleep(self.takes)
        if self.times >= 0:
            raise self.error
        return {"n": read.variables["n"]}


def request(number: int) -> GraphqlRequest:
    return GraphqlRequest("{ n }", {"n": number})


async def fail(backend: Backend, number: int, seconds: float = 10) -> BackendUnavailableError:
    with pytest.raises(BackendUnavailableError) as error:
        await backend.read(request(number), deadline_after(seconds))
    return error.value


@in_virtual_time
async def test_connection_errors_are_retried_after_a_backoff() -> None:
    log = EventLog()
    oap = ScriptedClient(Failing(connection_refused_error(), times=2))
    async with open_scripted_backends({"prod": oap}, log) as backends:
        data = await backends.select(None, None, "team").read(request(1), deadline_after(10))

    assert data == {"n": 1}
    assert log.retries == 2
    assert 0.15 <= monotonic() <= 0.3


@in_virtual_time
async def test_error_after_the_configured_retries_is_raised() -> None:
    oap = ScriptedClient(Failing(connection_refused_error()))
    async with open_scripted_backends({"prod": oap}, retries=1) as backends:
        error = await fail(backends.select(None, None, "team"), 1)

    assert str(error) == str(connection_refused_error())
    assert len(oap.requests) == 2


@in_virtual_time
async def test_timeout_is_retried_only_if_a_whole_timeout_is_left() -> None:
    oap = ScriptedClient(Failing(timeout_error(), seconds=5))
    async with open_scripted_backends({"prod": oap}, timeout="5s") as backends:
        backend = backends.select(None, None, "team")
        await fail(backend, 1, seconds=9)
        assert (len(oap.requests), monotonic()) == (1, 5.0)

        await fail(backend, 2, seconds=11)
        assert len(oap.requests) == 3


@in_virtual_time
async def test_rejected_requests_are_not_retried_and_do_not_open_the_breaker() -> None:
    oap = ScriptedClient(Failing(ProviderError(Reason.OAP_REJECTED, "401")))
    async with open_scripted_backends({"prod": oap}) as backends:
        for number in range(20):
            with pytest.raises(ProviderError):
                await backends.select(None, None, "team").read(request(number), deadline_after(10))

    assert len(oap.requests) == 20  # neither retried nor counted by the breaker


@in_virtual_time
async def test_rate_limited_requests_wait_for_retry_after_and_never_open_the_breaker() -> None:
    observer = EventLog()
    limited = BackendUnavailableError("429", kind=FailureKind.RATE_LIMITED, retry_after=4.0)
    oap = ScriptedClient(Failing(limited, times=10))
    async with open_scripted_backends({"prod": oap}, observer, retries=10, circuit={"failures": 1}) as backends:
        assert await backends.select(None, None, "team").read(request(1), deadline_after(60)) == {"n": 1}

    assert monotonic() == 40.0
    assert observer.circuits == []


@in_virtual_time
async def test_local_fault_of_a_probe_leaves_the_breaker_open_for_the_next_probe() -> None:
    observer, script = EventLog(), Failing(connection_refused_error(), times=1)
    oap = ScriptedClient(script)
    async with open_scripted_backends({"prod": oap}, observer, retries=0, circuit={"failures": 1}) as backends:
        backend = backends.select(None, None, "team")
        await fail(backend, 1)
        await asyncio.sleep(5)
        script.error, script.times = BackendUnavailableError("token file", kind=FailureKind.LOCAL_CONFIG), 1
        await fail(backend, 2)
        assert await backend.read(request(3), deadline_after(10)) == {"n": 3}

    opened, half, closed = Circuit.OPEN, Circuit.HALF_OPEN, Circuit.CLOSED
    assert observer.circuits == [opened, half, opened, half, closed]


@in_virtual_time
async def test_open_breaker_sends_nothing_and_names_its_start_and_next_probe() -> None:
    log, script = EventLog(), Failing(connection_refused_error())
    oap = ScriptedClient(script)
    async with open_scripted_backends({"prod": oap}, log, retries=0) as backends:
        backend = backends.select(None, None, "team")
        with capture_logs() as logs:
            for number in range(5):
                await fail(backend, number)
            await asyncio.sleep(2)
            error = await fail(backends.select(None, None, "others"), 99)

            assert len(oap.requests) == 5
            assert monotonic() == 2.0
            assert str(error) == (
                "backend prod: circuit breaker open since 12:00:20 +0000, next probe at 12:00:25 +0000."
                " Last failure: backend prod cannot be reached: Connection refused"
            )

            await asyncio.sleep(3)
            script.takes = 1.0
            probe = asyncio.create_task(fail(backend, 6))
            await asyncio.sleep(0.5)
            error = await fail(backend, 7)
            assert "circuit breaker open since 12:00:20 +0000, probe in progress" in str(error)
            await probe
            assert len(oap.requests) == 6

            await asyncio.sleep(5)
            script.times = 0
            assert await backend.read(request(8), deadline_after(10)) == {"n": 8}

    opened, half, closed = Circuit.OPEN, Circuit.HALF_OPEN, Circuit.CLOSED
    assert log.circuits == [opened, half, opened, half, closed]
    assert [entry["event"] for entry in logs] == [
        "circuit breaker opened",
        "circuit breaker closed",
    ]


@in_virtual_time
async def test_outage_of_ten_minutes_sends_one_request_per_cool_down() -> None:
    oap = ScriptedClient(Failing(connection_refused_error()))

    async def measure_on(number: int, backend: Backend) -> None:
        while monotonic() < 600:
            await fail(backend, number)
            await asyncio.sleep(7)

    async with open_scripted_backends({"prod": oap}, retries=0) as backends, asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(measure_on(number, backends.select(None, None, f"team-{number % 5}")))

    assert 60 < len(oap.requests) < 50 + 600 / 5  # fifty were in flight when it opened


class SlowFor:
    """OAP that responds to the requests of some numbers after a time, and to all others at once.

    Args:
        numbers: Returns whether the request with a number is slow.
    """

    def __init__(self, numbers: Callable[[int], bool], seconds: float = 30.0) -> None:
        self.numbers = numbers
        self.takes = seconds
        self.hangs = False
        self.health_checks = 0

    async def __call__(self, read: GraphqlRequest) -> dict[str, Any]:
        if read is HEALTH_REQUEST:
            self.health_checks += 1
        if self.hangs or (read is not HEALTH_REQUEST and self.numbers(int(str(read.variables["n"])))):
            await asyncio.sleep(self.takes)
        return {"n": read.variables.get("n")}


async def read_slow_queries(backend: Backend, numbers: Iterable[int]) -> None:
    for number in numbers:
        with contextlib.suppress(BackendUnavailableError):
            await backend.read(request(number), deadline_after(14.5))
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("interval", [0.5, 30.0])
@in_virtual_time
async def test_slow_queries_of_one_namespace_do_not_stop_another(interval: float) -> None:
    """Forty callers request slow queries one after another; the other namespace measures often or rarely."""
    log, oap = EventLog(), ScriptedClient(SlowFor(lambda number: number >= 1000))
    async with open_scripted_backends({"prod": oap}, log, cache=NO_CACHE) as backends:
        slow = [
            asyncio.create_task(read_slow_queries(backends.select(None, None, "team-a"), itertools.count(start, 1000)))
            for start in range(1000, 1040)
        ]
        began, longest = monotonic(), 0.0
        while monotonic() < began + 600:
            await asyncio.sleep(interval)
            sent_at = monotonic()
            data = await backends.select(None, None, "team-b").read(request(1), deadline_after(14.5))
            longest = max(longest, monotonic() - sent_at)
            assert data == {"n": 1}
        for task in slow:
            task.cancel()

    assert log.circuits == []
    assert longest < 0.5  # a slot is always left


@in_virtual_time
async def test_health_check_is_sent_only_if_nothing_gets_a_response() -> None:
    script = SlowFor(lambda number: number >= 1000)
    oap = ScriptedClient(script)
    async with open_scripted_backends({"prod": oap}, cache=NO_CACHE, retries=0) as backends:
        backend = backends.select(None, None, "team")
        reading = asyncio.create_task(read_slow_queries(backend, range(1000, 1010)))
        while not reading.done():
            await backend.read(request(1), deadline_after(1))
            await asyncio.sleep(1)
        assert script.health_checks == 0

        await read_slow_queries(backend, range(2000, 2010))
        assert 0 < script.health_checks < 10


@in_virtual_time
async def test_oap_that_responds_to_nothing_opens_the_breaker_and_closes_it_after_recovery() -> None:
    log, script = EventLog(), SlowFor(lambda number: number >= 1000)
    script.hangs = True
    async with open_scripted_backends({"prod": ScriptedClient(script)}, log, cache=NO_CACHE, retries=0) as backends:
        backend = backends.select(None, None, "team")
        errors = await asyncio.gather(*(fail(backend, number) for number in range(5)))
        assert {error.kind for error in errors} == {FailureKind.TIMEOUT}
        await asyncio.sleep(5)  # the health check
        assert (await fail(backend, 6)).kind is FailureKind.CIRCUIT_OPEN
        assert log.circuits == [Circuit.OPEN]

        script.hangs = False
        await asyncio.sleep(5)
        assert await backend.read(request(7), deadline_after(1)) == {"n": 7}
        assert log.circuits[-1] is Circuit.CLOSED


@in_virtual_time
async def test_slow_query_that_always_comes_first_does_not_keep_the_breaker_open() -> None:
    """It is sent all the time, so that it is always the first one when a cool-down ends."""
    script = SlowFor(lambda number: number >= 1000)
    script.hangs = True
    async with open_scripted_backends({"prod": ScriptedClient(script)}, retries=0, cache=NO_CACHE) as backends:
        backend = backends.select(None, None, "team")
        await asyncio.gather(*(fail(backend, number) for number in range(5)))
        slow = asyncio.create_task(read_slow_queries(backends.select(None, None, "slow"), itertools.count(1000)))
        await asyncio.sleep(6)
        script.hangs = False
        recovered_at = monotonic()
        for _ in range(20):
            await asyncio.sleep(1.03)
            try:
                data = await backends.select(None, None, "others").read(request(1), deadline_after(1))
                break
            except BackendUnavailableError:
                continue
        else:
            pytest.fail("the breaker stayed open for an OAP that responds")
        slow.cancel()

    assert data == {"n": 1}
    assert monotonic() < recovered_at + 5 + 5 + 2  # the cool-down, and the probe's timeout with its health check


@in_virtual_time
async def test_deadline_of_one_caller_does_not_end_the_refresh_for_another() -> None:
    async def clock(_: GraphqlRequest) -> dict[str, Any]:
        await asyncio.sleep(3)
        return {"getTimeInfo": {"timezone": "+0000", "currentTimestamp": round(NOON.timestamp() * 1000)}}

    oap = ScriptedClient(clock)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        short = asyncio.create_task(backend.connection.time(deadline_after(1)))
        long = asyncio.create_task(backend.connection.time(deadline_after(5)))

        with pytest.raises(
            BackendUnavailableError, match=re.escape("the clock of backend prod could not be read in time")
        ):
            await short
        await long

    assert (len(oap.requests), monotonic()) == (1, 3.0)
