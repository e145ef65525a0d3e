"""Limit of the requests that are received and decoded at once: their namespace is not known yet."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn

import grpc.aio
import structlog

from skywalking_provider.contract import REASON_TRAILER
from skywalking_provider.errors import Reason
from skywalking_provider.server.receive_queue import ReceiveQueue

_MAX_RECEIVING: Final = 32
_MAX_WAITING: Final = 2048  # of some 22 KiB each, 45 MiB in total
_MAX_OVERDUE: Final = 512  # of at most 128 KiB each, 64 MiB in total
_SLOT_SECONDS: Final = 0.025  # a message that has arrived takes milliseconds; a slower one continues without a slot
_RECEIVE_SECONDS: Final = 10.0
_PUSHBACK_MS: Final = (1000, 3000)  # the longest queue takes 1.6 s; random, so that calls are not repeated all at once
_LOG_INTERVAL_SECONDS: Final = 60.0

_log = structlog.get_logger()
_Context = grpc.aio.ServicerContext[Any, Any]


class _Receipt:
    """Receipt of the request of one call, from its slot to the whole message."""

    __slots__ = ("deadline", "has_slot", "peer")

    def __init__(self, peer: str, seconds: float) -> None:
        self.peer = peer
        self.deadline = asyncio.timeout(seconds)
        self.has_slot = True


class ReceiveLimiter(grpc.aio.ServerInterceptor):
    """Interceptor that lets a bounded number of calls receive their requests at once.

    On the wire, a call with one request does not differ from a call with a stream of requests. gRPC starts the latter
    before it receives a message. A burst of large requests therefore waits at its senders instead of in memory, and a
    call that waits can be rejected.

    Messages that never arrive delay others by the time of a slot only: the receipt continues without a slot until
    `receive_seconds`, or until too many are `overdue`.

    Args:
        size: Number of slots.
        max_waiting: Number of calls that wait for a slot. Beyond it, a call of the peer with the most is rejected.
        max_overdue: Number of receipts without a slot. Beyond it, the oldest is rejected.
        slot_seconds: Longest time that a receipt holds its slot.
        receive_seconds: Longest time of a receipt.
    """

    def __init__(
        self,
        size: int = _MAX_RECEIVING,
        max_waiting: int = _MAX_WAITING,
        max_overdue: int = _MAX_OVERDUE,
        slot_seconds: float = _SLOT_SECONDS,
        receive_seconds: float = _RECEIVE_SECONDS,
    ) -> None:
        self._max_waiting = max_waiting
        self._max_overdue = max_overdue
        self._slot_seconds = slot_seconds
        self._receive_seconds = receive_seconds
        # State: free slots, calls that wait for one (the result is whether they get it), and receipts without a slot,
        # the oldest first.
        self._free = size
        self._queue = ReceiveQueue[asyncio.Future[bool]]()
        self._overdue: dict[_Receipt, None] = {}
        self._rejected = 0
        self._logged_at = -_LOG_INTERVAL_SECONDS

    def __repr__(self) -> str:
        return f"<ReceiveLimiter: {self._free} slots free, {len(self._queue)} waiting, {len(self._overdue)} overdue>"

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return a handler that receives the request of the call once the call has a slot."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        behaviour = handler.unary_stream or handler.unary_unary

        async def receive_and_handle(_: object, context: _Context) -> Any:
            return await behaviour(await self._receive(context), context)

        build = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return build(receive_and_handle, handler.request_deserializer, handler.response_serializer)

    async def _receive(self, context: _Context) -> Any:
        """Return the request of a call, or end the call with a status."""
        peer = context.peer()
        if not await self._acquire(peer):
            await self._reject(
                context,
                f"request not received: {self._max_waiting} requests wait, most of them of this client. "
                "Repeat the call later, and start fewer calls at once.",
            )
        receipt = _Receipt(peer, self._receive_seconds)
        timer = asyncio.get_running_loop().call_later(self._slot_seconds, self._continue_without_slot, receipt)
        try:
            async with receipt.deadline:
                request = await context.read()
        except TimeoutError:
            request = None
        finally:
            timer.cancel()
            self._end(receipt)
        if request is None:
            await self._reject(
                context,
                f"request incomplete: its message did not arrive within {self._receive_seconds:g} s, or "
                f"{self._max_overdue} later ones are incomplete, too. Check the client and its network, and repeat the "
                "call.",
            )
        if request is grpc.aio.EOF:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "request missing: the call has no message. Send one.")
        return request

    async def _acquire(self, peer: str) -> bool:
        """Wait for a slot. Return false if the call is rejected instead."""
        if self._free:
            self._free -= 1
            self._queue.begin(peer)
            return True
        slot: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.add(peer, slot)
        if len(self._queue) > self._max_waiting:
            self._queue.pop_excess().set_result(False)
        try:
            return await slot
        except asyncio.CancelledError:
            self._queue.remove(peer, slot)
            if not slot.cancelled() and slot.result():  # granted in the same moment
                self._queue.end(peer)
                self._release_slot()
            raise

    def _release_slot(self) -> None:
        self._free += 1
        while self._free and self._queue:
            peer, slot = self._queue.pop_next()
            if not slot.done():  # cancelled, and not yet removed by its call
                self._free -= 1
                self._queue.begin(peer)
                slot.set_result(True)

    def _continue_without_slot(self, receipt: _Receipt) -> None:
        receipt.has_slot = False
        self._overdue[receipt] = None
        if len(self._overdue) > self._max_overdue:
            oldest = next(iter(self._overdue))
            del self._overdue[oldest]
            if not oldest.deadline.expired():
                oldest.deadline.reschedule(asyncio.get_running_loop().time())
        self._release_slot()

    def _end(self, receipt: _Receipt) -> None:
        self._queue.end(receipt.peer)
        self._overdue.pop(receipt, None)
        if receipt.has_slot:
            self._release_slot()

    async def _reject(self, context: _Context, details: str) -> NoReturn:
        """End a call so that the bridge repeats it, and lets its measurement wait if that fails as well."""
        self._rejected += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LOG_INTERVAL_SECONDS:
            _log.warning("requests rejected", peer=context.peer(), status=details, rejected=self._rejected)
            self._logged_at, self._rejected = now, 0
        pushback = str(random.randint(*_PUSHBACK_MS))  # noqa: S311 - not for cryptography
        await context.abort(
            grpc.StatusCode.UNAVAILABLE,
            details,
            (("grpc-retry-pushback-ms", pushback), (REASON_TRAILER, Reason.PROVIDER_OVERLOADED.value)),
        )
