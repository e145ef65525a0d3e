"""Concurrency limit: requests are bounded, fair between namespaces, and rejected if they would wait too long."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import BackendUnavailableError, Reason
from skywalking_provider.model import Deadline
from skywalking_provider.oap import UNOBSERVED, Backend, Observer
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.traffic import concurrency
from skywalking_provider.oap.traffic.concurrency import ConcurrencyLimiter, may_take_slot
from skywalking_provider.oap.traffic.shared_request import SharedRequest
from tests.oap.virtual_time import ScriptedClient, deadline_after, in_virtual_time, monotonic, open_scripted_backends


async def a_second(_: GraphqlRequest) -> dict[str, Any]:
    await asyncio.sleep(1)
    return {"a": 1}


def request(at: int) -> GraphqlRequest:
    return GraphqlRequest("{ a }", {"n": at})


def start_reads(backend: Backend, numbers: range, seconds: float = 60) -> list[asyncio.Task[Any]]:
    return [asyncio.create_task(backend.read(request(at), deadline_after(seconds))) for at in numbers]


async def cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@in_virtual_time
async def test_requests_in_flight_are_limited() -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, maxRequests=4) as backends:
        reads = [
            *start_reads(backends.select(None, None, "a"), range(20)),
            *start_reads(backends.select(None, None, "b"), range(20, 40)),
        ]
        await asyncio.gather(*reads)

    assert oap.max_in_flight == 4
    assert monotonic() == 10.0


@pytest.mark.parametrize(("slots", "share"), [(1, 1), (2, 2), (3, 3), (4, 3), (8, 6), (32, 24)])
@in_virtual_time
async def test_namespace_leaves_a_quarter_of_the_slots_to_others(slots: int, share: int) -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, maxRequests=slots) as backends:
        greedy = start_reads(backends.select(None, None, "greedy"), range(100), seconds=3600)
        await asyncio.sleep(0.5)
        assert oap.max_in_flight == share

        await backends.select(None, None, "modest").read(request(-1), deadline_after(5))

        assert monotonic() <= 0.5 + 1 + (2 if share == slots else 0)
        await cancel(greedy)


@in_virtual_time
async def test_several_greedy_namespaces_leave_a_slot_to_another() -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, maxRequests=32) as backends:
        greedy = [
            read
            for team in range(6)
            for read in start_reads(backends.select(None, None, f"greedy-{team}"), range(100 * team, 100 * team + 99))
        ]
        await asyncio.sleep(5.5)

        await backends.select(None, None, "modest").read(request(-1), deadline_after(5))

        assert monotonic() == 5.5 + 1
        await cancel(greedy)


@given(st.lists(st.sampled_from("abcde"), max_size=200), st.integers(1, 40), st.randoms(use_true_random=False))
def test_namespace_without_a_slot_may_take_a_free_one(tenants: list[str], size: int, random: Random) -> None:
    held, free = Counter[str](), size
    for tenant in tenants:
        if may_take_slot(held[tenant], free):
            held[tenant] += 1
            free -= 1
        elif free:
            assert held[tenant] >= 3 * free
        if held.total() and random.random() < 0.3:
            leaving = random.choice(sorted(held.elements()))
            held[leaving] -= 1
            free += 1
        assert held.total() + free == size
        assert may_take_slot(0, free) == (free > 0)


@in_virtual_time
async def test_thousand_reads_of_one_namespace_delay_another_by_one_request() -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, maxRequests=4) as backends:
        greedy = start_reads(backends.select(None, None, "greedy"), range(1000), seconds=3600)
        await asyncio.sleep(10.5)

        await backends.select(None, None, "modest").read(request(-1), deadline_after(5))

        assert monotonic() <= 10.5 + 1 + 1  # the next free slot, and its own second
        await cancel(greedy)


@in_virtual_time
async def test_joined_request_is_served_from_the_queue_of_the_joining_namespace() -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, maxRequests=4) as backends:
        greedy = start_reads(backends.select(None, None, "greedy"), range(1000), seconds=3600)
        await asyncio.sleep(10.5)

        await backends.select(None, None, "modest").read(request(999), deadline_after(5))

        assert monotonic() <= 10.5 + 1 + 1
        await cancel(greedy)


@in_virtual_time
async def test_request_of_two_namespaces_is_not_rejected_for_the_longer_queue() -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, maxRequests=4) as backends:
        greedy, modest = (backends.select(None, None, team) for team in ("greedy", "modest"))
        waiting = start_reads(greedy, range(1000), seconds=3600)
        await asyncio.sleep(10.5)

        same = start_reads(greedy, range(-1, 0), seconds=5) + start_reads(modest, range(-1, 0), seconds=5)

        assert await asyncio.gather(*same) == [{"a": 1}] * 2
        await cancel(waiting)


@in_virtual_time
async def test_request_with_an_expected_wait_beyond_its_deadline_is_rejected_at_once() -> None:
    shed = 0

    class Counting(Observer):
        def shed(self, _: str) -> None:
            nonlocal shed
            shed += 1

    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, Counting(), maxRequests=4) as backends:
        backend = backends.select(None, None, "team")
        await asyncio.gather(*start_reads(backend, range(4)))  # records that a request takes a second
        waiting = start_reads(backend, range(100, 133))  # three in flight
        await asyncio.sleep(0.5)
        began = monotonic()

        with pytest.raises(BackendUnavailableError) as rejected:
            await backend.read(request(-1), deadline_after(5))

        assert monotonic() == began
        assert rejected.value.reason is Reason.PROVIDER_OVERLOADED
        assert "maxRequests" in str(rejected.value)
        assert "Raise backends.prod.maxRequests" in str(rejected.value)
        assert shed == 1
        await backend.read(request(-2), deadline_after(12))  # its deadline is late enough
        await asyncio.gather(*waiting)


@in_virtual_time
async def test_request_without_a_slot_by_its_deadline_is_provider_overloaded() -> None:
    async def never(_: GraphqlRequest) -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    oap = ScriptedClient(never)
    async with open_scripted_backends({"prod": oap}, maxRequests=1, timeout="60s") as backends:
        backend = backends.select(None, None, "team")
        first = start_reads(backend, range(1))
        await asyncio.sleep(0)

        with pytest.raises(BackendUnavailableError) as rejected:
            await backend.read(request(1), deadline_after(3))

        assert monotonic() == 3.0
        assert rejected.value.reason is Reason.PROVIDER_OVERLOADED
        await cancel(first)
    assert len(oap.requests) == 1


@in_virtual_time
async def test_cancelled_requests_leave_the_queue() -> None:
    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}, maxRequests=1) as backends:
        backend = backends.select(None, None, "team")
        tasks = start_reads(backend, range(10))
        await asyncio.sleep(0.5)
        await cancel(tasks[1:9])

        await asyncio.gather(tasks[0], tasks[9])

        assert monotonic() == 2.0
        assert repr(backend.connection.limiter) == "<ConcurrencyLimiter: 0 of 1 slots taken, 0 queued>"
    assert len(oap.requests) == 2


@in_virtual_time
async def test_durations_of_an_outage_do_not_reject_requests_after_it() -> None:
    hanging = True

    async def hang_and_recover(_: GraphqlRequest) -> dict[str, Any]:
        await asyncio.sleep(3600 if hanging else 0.02)
        return {"a": 1}

    oap = ScriptedClient(hang_and_recover)
    async with open_scripted_backends({"prod": oap}, maxRequests=4, retries=0, circuit={"failures": 4}) as backends:
        backend = backends.select(None, None, "team")
        await asyncio.gather(*start_reads(backend, range(4)), return_exceptions=True)  # each times out after 5 s
        hanging = False
        await asyncio.sleep(5)
        await backend.read(request(4), deadline_after(5))

        burst = await asyncio.gather(*start_reads(backend, range(100, 200), seconds=2))

    assert burst == [{"a": 1}] * 100


@in_virtual_time
async def test_requests_rejected_by_the_breaker_do_not_lower_the_expected_wait() -> None:
    """They hold a slot for no time, and would lower the mean, so that later requests would wait in vain."""
    limiter = ConcurrencyLimiter("prod", 1, UNOBSERVED)
    for _ in range(3):
        limiter.record_duration(1.0)
    for _ in range(50):
        async with limiter.slot(SharedRequest(deadline_after(5), ["team"])):
            pass

    async with limiter.slot(SharedRequest(deadline_after(5), ["team"])):
        began = monotonic()
        with pytest.raises(BackendUnavailableError) as rejected:
            async with limiter.slot(SharedRequest(deadline_after(0.5), ["team"])):
                pass

    assert (rejected.value.reason, monotonic()) == (Reason.PROVIDER_OVERLOADED, began)


async def test_released_slot_is_granted_without_looking_at_every_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def count_looks(held: int, free: int) -> bool:
        nonlocal looks
        looks += 1
        return may_take_slot(held, free)

    async def hold_slot(namespace: str) -> None:
        async with limiter.slot(SharedRequest(Deadline.after(3600), [namespace])):
            await asyncio.sleep(0)

    monkeypatch.setattr(concurrency, "may_take_slot", count_looks)
    limiter = ConcurrencyLimiter("prod", 1, UNOBSERVED)
    await asyncio.gather(*(hold_slot(f"team-{number}") for number in range(300)))

    assert looks < 300 * 10
