"""A bounded number of requests in flight to one OAP, shared fairly, and refused where waiting is in vain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.oap.observer import Observer
from skywalking_provider.oap.traffic.fair_queue import FairQueue
from skywalking_provider.oap.traffic.shared_request import SharedRequest

_MAX_QUEUE_LENGTH: Final = 10_000  # errands that wait: a bound of memory, far above what any deadline lets through
_WEIGHT: Final = 0.2  # of the latest request in the running mean of how long one takes


def expected_wait(position: int, slots: int, seconds: float) -> float:
    """How long a newcomer waits for its slot.

    Args:
        position: How many wait and are served before it, while all slots are taken.
        slots: How many there are.
        seconds: How long a request takes.
    """
    return (position + 1) * seconds / slots


class ConcurrencyLimiter:
    """The slots of one OAP.

    Args:
        name: Of the backend, for messages.
        size: How many requests may be in flight.
        observer: Is told who was refused.
    """

    def __init__(self, name: str, size: int, observer: Observer) -> None:
        self._name = name
        self._size = size
        self._observer = observer
        # The state: free slots, who waits for one while there is none, and how long a request took of late.
        self._free = size
        self._queue = FairQueue()
        self._mean_duration = 0.0

    def __repr__(self) -> str:
        return f"<Slots: {self._size - self._free} of {self._size} taken, {len(self._queue)} wait>"

    @asynccontextmanager
    async def slot(self, shared_request: SharedRequest) -> AsyncIterator[None]:
        """Hold a slot for as long as the context lasts.

        Raises:
            BackendAway: PROVIDER_OVERLOADED; there would be none, or was none, by the errand's deadline.
        """
        await self._acquire(shared_request)
        try:
            yield
        finally:
            self._release()

    def record_duration(self, seconds: float) -> None:
        """A request was sent, and this long is what it took, however it ended: by that the wait is foreseen."""
        self._mean_duration += (seconds - self._mean_duration) * (_WEIGHT if self._mean_duration else 1.0)

    def reset_durations(self) -> None:
        """What requests took is no measure any more of what they take."""
        self._mean_duration = 0.0

    def add_tenant(self, shared_request: SharedRequest, namespace: str) -> None:
        """Another namespace waits for the same: the errand may take its turn, too."""
        if namespace not in shared_request.namespaces:
            shared_request.namespaces.append(namespace)
            if shared_request in self._queue:
                self._queue.add(shared_request)

    def overload_error(self, detail: str) -> BackendUnavailableError:
        """The error of a request that would not get, or did not get, its slot in time."""
        self._observer.shed(self._name)
        return BackendUnavailableError(
            f"backend {self._name}: all {self._size} requests that may be in flight at the same time are (maxRequests),"
            f" {detail}",
            f"raise backends.{self._name}.maxRequests if the OAP bears more, or measure less often",
            kind=FailureKind.OVERLOADED,
        )

    async def _acquire(self, shared_request: SharedRequest) -> None:
        if self._free:
            self._free -= 1
            return
        before = min(self._queue.position(namespace) for namespace in shared_request.namespaces)
        wait = expected_wait(before, self._size, self._mean_duration)
        if wait > shared_request.deadline.remaining or len(self._queue) >= _MAX_QUEUE_LENGTH:
            raise self.overload_error(f"{len(self._queue)} wait, about {wait:.3g} s long")
        turn = shared_request.slot_granted = asyncio.get_running_loop().create_future()
        self._queue.add(shared_request)
        try:
            while not turn.done() and shared_request.deadline.remaining:  # who joins may have more time
                await asyncio.wait({turn}, timeout=shared_request.deadline.remaining)
        except asyncio.CancelledError:
            if turn.done():
                self._release()
            raise
        finally:
            shared_request.slot_granted = None
            if not turn.done():
                self._queue.remove(shared_request)
        if not turn.done():
            raise self.overload_error(f"{len(self._queue)} wait")

    def _release(self) -> None:
        following = self._queue.next()
        if following is None:
            self._free += 1
        elif following.slot_granted is not None:
            following.slot_granted.set_result(None)
