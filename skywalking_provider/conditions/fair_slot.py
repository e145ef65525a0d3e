"""One slot for evaluations, which the namespaces share fairly.

An evaluator evaluates one condition at a time. The namespace that has used it for the shortest time comes first, so a
namespace with slow conditions delays another one by the evaluation that is running, and by no more.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from skywalking_provider.conditions.limits import MAX_QUEUED, MAX_QUEUED_BYTES, StoppedError, StopReason
from skywalking_provider.model import Deadline
from skywalking_provider.support.fair_queue import FairQueue

# Charged even for an evaluation that takes no time.
_LEAST_SECONDS = 0.001

Response = TypeVar("Response")


class FairSlot:
    """A slot for one evaluation at a time. Belongs to the event loop of its first use.

    Args:
        max_queued: Maximum number of queued evaluations of one namespace.
        max_bytes: Maximum size of the results of all queued evaluations. A namespace may hold as much as is free, and
            one result in any case.
        monotonic: Clock in seconds.
    """

    def __init__(
        self,
        max_queued: int = MAX_QUEUED,
        max_bytes: int = MAX_QUEUED_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_queued = max_queued
        self._monotonic = monotonic
        # State: evaluations that wait for the slot, each as the future of its grant.
        self._queue = FairQueue[asyncio.Future[None]](cost=_LEAST_SECONDS)
        # State: bytes that more results may take, and those of the queued results by namespace.
        self._free_bytes = max_bytes
        self._queued_bytes: Counter[str] = Counter()
        self._taken = False
        self._closed = False

    async def run(
        self, namespace: str, deadline: Deadline, evaluate: Callable[[], Awaitable[Response]], *, size: int = 0
    ) -> Response:
        """Wait for the slot, evaluate, and return the response.

        Cancelling the caller removes a queued evaluation. A running one continues, and keeps the slot until it ends.

        Args:
            namespace: Namespace of the measurement.
            deadline: Deadline of the caller.
            evaluate: The evaluation, which bounds its own duration.
            size: Bytes of its result.

        Raises:
            StoppedError: The deadline passed, the namespace's queue is full, or the service stops. Or as `evaluate`.
        """
        if not deadline.remaining:
            raise StoppedError(StopReason.QUEUE_TIMEOUT)
        try:
            async with asyncio.timeout(deadline.remaining):
                await self._acquire(namespace, size)
                # A task of its own: the slot is free when the evaluation ends, even if the caller has left.
                task = asyncio.ensure_future(evaluate())
                task.add_done_callback(partial(self._on_done, namespace, self._monotonic()))
                try:
                    return await asyncio.shield(task)
                finally:
                    del task  # it refers to its error, whose traceback refers to this frame and the result
        except TimeoutError:
            raise StoppedError(StopReason.QUEUE_TIMEOUT) from None

    def close(self) -> None:
        """End all queued evaluations with `StopReason.CLOSED`, and accept no more."""
        self._closed = True
        while (granted := self._queue.next()) is not None:
            if not granted.done():
                granted.set_result(None)

    async def _acquire(self, namespace: str, size: int) -> None:
        if not self._closed:
            if self._is_full(namespace, size):
                raise StoppedError(StopReason.QUEUE_FULL)
            self._count_bytes(namespace, size)
            granted = asyncio.get_running_loop().create_future()
            self._queue.add(granted, [namespace])
            self._grant_next()
            try:
                await granted
            except asyncio.CancelledError:
                self._queue.remove(granted)
                if not granted.cancelled() and not self._closed:  # granted in the same moment
                    self._release()
                raise
            finally:
                self._count_bytes(namespace, -size)
        if self._closed:
            raise StoppedError(StopReason.CLOSED)

    def _is_full(self, namespace: str, size: int) -> bool:
        queued = self._queue.length(namespace)
        # The first one may always wait: the large results of some namespaces must not exclude another one.
        return queued >= self._max_queued or (queued > 0 and self._queued_bytes[namespace] + size > self._free_bytes)

    def _count_bytes(self, namespace: str, size: int) -> None:
        self._free_bytes -= size
        self._queued_bytes[namespace] += size
        if not self._queued_bytes[namespace]:
            del self._queued_bytes[namespace]

    def _grant_next(self) -> None:
        while not self._taken and (granted := self._queue.next()) is not None:
            if not granted.done():  # cancelled, and not yet removed by its caller
                self._taken = True
                granted.set_result(None)

    def _release(self) -> None:
        self._taken = False
        self._grant_next()

    def _on_done(self, namespace: str, began: float, task: asyncio.Future[object]) -> None:
        self._queue.charge(namespace, self._monotonic() - began)
        if not task.cancelled():
            task.exception()  # retrieved here, because the caller may have left
        self._release()
