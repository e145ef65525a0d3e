"""Limit of the requests in receipt: bounded, the latest first, and independent of messages that never arrive."""

import asyncio
from typing import Any

import grpc
import pytest

from skywalking_provider.server.receive_limiter import ReceiveLimiter
from tests.oap.virtual_time import in_virtual_time, monotonic


class Calls:
    """Calls that pass through a limiter; each message arrives after a time."""

    def __init__(self, limiter: ReceiveLimiter) -> None:
        self.limiter = limiter
        self.receiving = 0
        self.max_receiving = 0
        self.handled: list[int] = []

    def start(self, number: int, seconds: float) -> asyncio.Task[None]:
        return asyncio.create_task(self._call(number, seconds))

    async def _call(self, number: int, seconds: float) -> None:
        async def handle(_request: Any, _context: Any) -> None:
            self.handled.append(number)

        async def continuation(_details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(handle)

        handler = await self.limiter.intercept_service(continuation, None)  # type: ignore[arg-type]
        self.receiving += 1
        self.max_receiving = max(self.max_receiving, self.receiving)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.receiving -= 1
        await handler.unary_unary(None, None)


@in_virtual_time
async def test_calls_that_receive_at_once_are_bounded_and_all_are_handled() -> None:
    calls = Calls(ReceiveLimiter(4))

    await asyncio.gather(*(calls.start(number, 0.01) for number in range(100)))

    assert calls.max_receiving == 4
    assert sorted(calls.handled) == list(range(100))


@in_virtual_time
async def test_messages_that_never_arrive_delay_the_latest_call_by_one_slot_time() -> None:
    calls = Calls(ReceiveLimiter(4, 100_000, slot_seconds=0.25, receive_seconds=10))
    half_sent = [calls.start(number, 3600) for number in range(20_000)]
    await asyncio.sleep(1)

    sent_at = monotonic()
    await calls.start(-1, 0.01)

    assert monotonic() - sent_at <= 0.25 + 0.01 + 0.001
    await asyncio.sleep(60)
    assert calls.max_receiving <= 4 + 4 * 10 / 0.25  # at most so many messages are incomplete
    for one in half_sent:
        one.cancel()
    await asyncio.wait(half_sent)
    await asyncio.gather(*(calls.start(number, 0.01) for number in range(8)))
    assert len(calls.handled) == 9  # every slot was given back


@in_virtual_time
async def test_cancelled_calls_give_their_slots_back() -> None:
    calls = Calls(ReceiveLimiter(2))
    tasks = [calls.start(number, 3600) for number in range(10)]
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    calls.max_receiving = 0
    await asyncio.gather(*(calls.start(number, 0.01) for number in range(10)))

    assert calls.max_receiving == 2
    assert len(calls.handled) == 10


@in_virtual_time
async def test_oldest_of_too_many_waiting_calls_ends() -> None:
    calls = Calls(ReceiveLimiter(1, 10))
    tasks = [calls.start(number, 0.01) for number in range(30)]
    await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [False] + 19 * [True] + 10 * [False]
    assert calls.handled == [0, *range(29, 19, -1)]
    assert len(calls.limiter._waiting) == 0


@pytest.mark.parametrize("handler", [None, grpc.unary_stream_rpc_method_handler(lambda *_: None)])
async def test_streams_and_unknown_methods_need_no_slot(handler: Any) -> None:
    async def continuation(_details: Any) -> Any:
        return handler

    limiter = ReceiveLimiter(0)

    assert await limiter.intercept_service(continuation, None) is handler  # type: ignore[arg-type]
