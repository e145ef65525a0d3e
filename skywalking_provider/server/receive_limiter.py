"""Limit of the requests that are received and decoded at once: their namespace is not known yet."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import grpc.aio

_MAX_RECEIVING: Final = 32
_MAX_WAITING: Final = 4096  # of some 20 KiB each, 80 MiB in total
_SLOT_SECONDS: Final = 0.25  # a message takes milliseconds; a slower one continues without a slot
_RECEIVE_SECONDS: Final = 10.0  # then the call ends: with the two limits above 1,300 messages at most are incomplete

_Context = grpc.aio.ServicerContext[Any, Any]


class ReceiveLimiter(grpc.aio.ServerInterceptor):
    """Interceptor that lets a bounded number of calls receive their requests at once.

    gRPC reads the message of a call only after its interceptors, so that a burst of large requests waits at its
    senders instead of in memory. The latest call is served first: calls whose messages never arrive do not delay it.
    If too many wait, the oldest is
    cancelled; its client may not see that before its own deadline.

    Args:
        size: Number of calls that receive at once.
        max_waiting: Number of calls that wait.
        slot_seconds: Longest time that a call holds its slot.
        receive_seconds: Longest time from the slot to the whole message.
    """

    def __init__(
        self,
        size: int = _MAX_RECEIVING,
        max_waiting: int = _MAX_WAITING,
        slot_seconds: float = _SLOT_SECONDS,
        receive_seconds: float = _RECEIVE_SECONDS,
    ) -> None:
        self._max_waiting = max_waiting
        self._slot_seconds = slot_seconds
        self._receive_seconds = receive_seconds
        # State: free slots, and the calls that wait while there is none, the latest last.
        self._free = size
        self._waiting: dict[asyncio.Future[None], None] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler of a call once the call may receive its request."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming or handler.response_streaming:
            return handler
        end_receiving = await self._begin_receiving()

        async def handle_received(request: Any, context: _Context) -> Any:
            end_receiving()
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            handle_received, handler.request_deserializer, handler.response_serializer
        )

    async def _begin_receiving(self) -> Callable[[], None]:
        """Wait for a slot, and return the function that ends the receipt."""
        await self._acquire()
        loop, call = asyncio.get_running_loop(), asyncio.current_task()
        holds_slot = True

        def give_slot_back() -> None:
            nonlocal holds_slot
            if holds_slot:
                holds_slot = False
                self._release()

        def end_receiving(*_: object) -> None:
            slot_timer.cancel()
            receive_timer.cancel()
            give_slot_back()

        def end_call() -> None:
            if call is not None:
                call.cancel()

        slot_timer = loop.call_later(self._slot_seconds, give_slot_back)
        receive_timer = loop.call_later(self._receive_seconds, end_call)
        if call is not None:
            call.add_done_callback(end_receiving)  # of a call that ends before its message
        return end_receiving

    async def _acquire(self) -> None:
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._max_waiting:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.cancel()
        slot = asyncio.get_running_loop().create_future()
        self._waiting[slot] = None
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():
                self._release()
            raise
        finally:
            with suppress(KeyError):
                del self._waiting[slot]

    def _release(self) -> None:
        while self._waiting:
            slot, _ = self._waiting.popitem()
            if not slot.done():
                slot.set_result(None)
                return
        self._free += 1
