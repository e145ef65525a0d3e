"""Limit of the requests in receipt: bounded, fair by peer, and independent of messages that never arrive."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs

from skywalking_provider.contract import REASON_TRAILER
from skywalking_provider.server.receive_limiter import ReceiveLimiter
from tests.oap.virtual_time import in_virtual_time, monotonic

NEVER = 3600.0


class AbortedError(Exception):
    """Status of a call that was aborted."""


class Call:
    """Context of a call whose message arrives some time after gRPC starts to read it."""

    def __init__(self, calls: "Calls", peer: str, seconds: float, message: Any) -> None:
        self._calls = calls
        self._peer = peer
        self._seconds = seconds
        self._message = message
        self.began = monotonic()
        self.ended = NEVER
        self.status: grpc.StatusCode | None = None
        self.details = ""
        self.trailers: dict[str, str] = {}

    def peer(self) -> str:
        return self._peer

    async def read(self) -> Any:
        self._calls.receiving += 1
        self._calls.max_receiving = max(self._calls.max_receiving, self._calls.receiving)
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self._calls.receiving -= 1
        return self._message

    async def abort(self, code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, str], ...] = ()) -> None:
        self.status, self.details, self.trailers = code, details, dict(trailers)
        raise AbortedError(code)


class Calls:
    """Calls that pass through a limiter, and their handler."""

    def __init__(self, limiter: ReceiveLimiter) -> None:
        self.limiter = limiter
        self.receiving = 0
        self.max_receiving = 0
        self.handled: list[Any] = []
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, message: Any, seconds: float = 0.001, peer: str = "unix:") -> Call:
        call = Call(self, peer, seconds, message)
        self.tasks.append(asyncio.create_task(self._run(call)))
        return call

    async def finish(self) -> None:
        await asyncio.wait(self.tasks)

    async def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.finish()
        self.tasks.clear()

    async def _run(self, call: Call) -> None:
        async def handle(request: Any, _context: Any) -> None:
            self.handled.append(request)

        async def continuation(_details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(handle)

        handler = await self.limiter.intercept_service(continuation, None)  # type: ignore[arg-type]
        try:
            await handler.stream_unary(None, call)
        except AbortedError:
            pass
        finally:
            call.ended = monotonic()


async def assert_all_slots_are_free(calls: Calls, size: int) -> None:
    calls.max_receiving = 0
    calls.handled.clear()
    for number in range(3 * size):
        calls.start(number)
    await calls.finish()

    assert calls.max_receiving == size
    assert len(calls.handled) == 3 * size
    assert repr(calls.limiter) == f"<ReceiveLimiter: {size} slots free, 0 waiting, 0 overdue>"


@in_virtual_time
async def test_receipts_at_once_are_bounded_and_calls_of_a_peer_are_handled_in_their_order() -> None:
    calls = Calls(ReceiveLimiter(4))
    for number in range(100):
        calls.start(number, 0.01 + number / 1e6)
    await calls.finish()

    assert calls.max_receiving == 4
    assert calls.handled == list(range(100))


@in_virtual_time
async def test_half_sent_messages_of_the_same_peer_delay_a_call_by_their_slots_only() -> None:
    calls = Calls(ReceiveLimiter(4, 1000, max_overdue=50, slot_seconds=0.025))
    for _ in range(1000):
        calls.start(None, NEVER)
    call = calls.start("whole")
    await asyncio.sleep(20)

    assert calls.handled == ["whole"]
    assert call.ended - call.began <= 1000 / 4 * 0.025 + 0.1
    assert calls.max_receiving <= 4 + 50 + 4  # a rejected one is counted until its task runs
    await calls.cancel()
    await assert_all_slots_are_free(calls, 4)


@in_virtual_time
@pytest.mark.parametrize("connections", [1, 10, 1000])
async def test_half_sent_messages_of_other_peers_delay_a_call_by_one_slot(connections: int) -> None:
    calls = Calls(ReceiveLimiter(4, 4000, max_overdue=50, slot_seconds=0.025))
    for number in range(4000):
        calls.start(None, NEVER, peer=f"ipv4:10.0.0.1:{number % connections}")
    await asyncio.sleep(30 if connections == 1000 else 1)  # each of them has receipts in progress
    for number in range(20):
        call = calls.start(number, peer="ipv4:10.0.0.2:1")
        await asyncio.sleep(0.1)
        assert call.ended - call.began <= 0.025 + 0.002

    assert calls.handled == list(range(20))
    await calls.cancel()


@in_virtual_time
async def test_peers_with_equally_many_receipts_take_turns() -> None:
    calls = Calls(ReceiveLimiter(1))
    calls.start("first")
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        calls.start(name, peer=name[0])
    await calls.finish()

    assert calls.handled == ["first", "a1", "b1", "c1", "a2", "b2", "a3"]


@in_virtual_time
async def test_cancelled_calls_give_their_slots_back() -> None:
    calls = Calls(ReceiveLimiter(2, max_overdue=3, slot_seconds=0.025))
    for number in range(10):
        calls.start(None, NEVER, peer=str(number % 3))
    await asyncio.sleep(0.06)  # four are overdue or rejected, two have slots, four wait
    await calls.cancel()

    await assert_all_slots_are_free(calls, 2)


@in_virtual_time
async def test_call_that_is_cancelled_when_it_is_granted_a_slot_gives_it_back() -> None:
    calls = Calls(ReceiveLimiter(1))
    calls.start("first", 0.01)
    calls.start("second")
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_at(0.01, calls.tasks[1].cancel)
    await calls.finish()

    assert calls.handled == ["first"]
    await assert_all_slots_are_free(calls, 1)


@in_virtual_time
async def test_call_beyond_the_waiting_ones_is_rejected_at_once_with_the_trailers_for_the_bridge() -> None:
    calls = Calls(ReceiveLimiter(1, 10))
    started = [calls.start(number, 0.01) for number in range(12)]
    await calls.finish()

    last = started[-1]
    assert calls.handled == list(range(11))
    assert (last.status, last.ended - last.began) == (grpc.StatusCode.UNAVAILABLE, 0)
    assert last.details == (
        "request not received: 10 requests wait, most of them of this client. "
        "Repeat the call later, and start fewer calls at once."
    )
    assert last.trailers[REASON_TRAILER] == "PROVIDER_OVERLOADED"
    assert 1000 <= int(last.trailers["grpc-retry-pushback-ms"]) <= 3000


@in_virtual_time
async def test_rejected_call_is_that_of_the_peer_with_the_most_waiting_calls() -> None:
    calls = Calls(ReceiveLimiter(1, 10))
    calls.start("first", 0.01)
    greedy = [calls.start(f"greedy {number}", peer="greedy") for number in range(10)]
    modest = [calls.start(f"modest {number}", peer="modest") for number in range(3)]
    await calls.finish()

    assert [call.status for call in greedy] == 7 * [None] + 3 * [grpc.StatusCode.UNAVAILABLE]
    assert {call.status for call in modest} == {None}
    assert len(calls.handled) == 1 + 7 + 3


@in_virtual_time
async def test_oldest_receipt_is_rejected_when_too_many_are_overdue() -> None:
    calls = Calls(ReceiveLimiter(2, max_overdue=4, slot_seconds=0.025))
    started = [calls.start(number, NEVER) for number in range(10)]
    await asyncio.sleep(1)

    assert [call.status for call in started] == 6 * [grpc.StatusCode.UNAVAILABLE] + 4 * [None]
    assert "4 later ones are incomplete" in started[0].details
    await calls.cancel()
    await assert_all_slots_are_free(calls, 2)


@in_virtual_time
@pytest.mark.parametrize("peer", ["unix:", "ipv4:10.0.0.1:5000"])
async def test_receipt_ends_after_ten_seconds(peer: str) -> None:
    calls = Calls(ReceiveLimiter())
    late = calls.start("late", NEVER, peer)
    calls.start("slow", 9.9, peer)
    await calls.finish()

    assert calls.handled == ["slow"]
    assert (late.status, late.ended) == (grpc.StatusCode.UNAVAILABLE, pytest.approx(10, abs=0.01))
    assert late.details.startswith("request incomplete: its message did not arrive within 10 s")
    await assert_all_slots_are_free(calls, 32)


@in_virtual_time
async def test_call_without_a_message_is_invalid() -> None:
    calls = Calls(ReceiveLimiter(1))
    call = calls.start(grpc.aio.EOF)
    await calls.finish()

    assert (call.status, calls.handled) == (grpc.StatusCode.INVALID_ARGUMENT, [])
    await assert_all_slots_are_free(calls, 1)


@in_virtual_time
async def test_message_that_cannot_be_decoded_gives_its_slot_back() -> None:
    calls = Calls(ReceiveLimiter(1))

    async def fail() -> Any:
        raise ValueError

    calls.start(None).read = fail  # type: ignore[method-assign]
    await calls.finish()

    assert isinstance(calls.tasks.pop().exception(), ValueError)
    await assert_all_slots_are_free(calls, 1)


@in_virtual_time
async def test_rejections_are_logged_once_in_a_minute() -> None:
    calls = Calls(ReceiveLimiter(1, 0))
    with capture_logs() as lines:
        for _ in range(3):
            for number in range(5):
                calls.start(number)
            await asyncio.sleep(40)

    assert [(line["event"], line["rejected"]) for line in lines] == [("requests rejected", 1), ("requests rejected", 8)]


@pytest.mark.parametrize("build", [grpc.stream_stream_rpc_method_handler, lambda _: None])
async def test_streams_and_unknown_methods_need_no_slot(build: Callable[[Any], Any]) -> None:
    handler = build(lambda *_: None)

    async def continuation(_details: Any) -> Any:
        return handler

    assert await ReceiveLimiter(0).intercept_service(continuation, None) is handler  # type: ignore[arg-type]
