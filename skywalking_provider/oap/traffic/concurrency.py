"""Concurrency limit with load shedding: a bounded number of requests in flight to one OAP, shared fairly."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.oap.observer import Observer
from skywalking_provider.oap.traffic.shared_request import SharedRequest
from skywalking_provider.support.fair_queue import FairQueue

_MAX_QUEUE_LENGTH: Final = 10_000  # bounds memory; far more than any deadline lets through
_WEIGHT: Final = 0.2  # of the latest request in the running mean of the durations
_HELD_PER_FREE_SLOT: Final = 3


def expected_wait(position: int, slots: int, seconds: float) -> float:
    """Return the seconds that a new request waits for its slot.

    Args:
        position: Number of queued requests that are served before it, while all slots are taken.
        slots: Number of slots.
        seconds: Mean duration of a request.
    """
    return (position + 1) * seconds / slots


def may_take_slot(held: int, free: int) -> bool:
    """Return whether a namespace may take one of the free slots.

    A namespace holds at most three slots for each free one, so that alone it holds three quarters. Its slow requests
    then leave slots for the requests of other namespaces, which would otherwise wait for a whole `timeout`. Sharing
    what is free is known as dynamic thresholds.

    Args:
        held: Number of slots that the namespace holds.
        free: Number of free slots.
    """
    return free > 0 and held < max(1, _HELD_PER_FREE_SLOT * free)


class ConcurrencyLimiter:
    """Request slots of one OAP.

    Args:
        name: Name of the backend, for messages.
        size: Maximum number of requests in flight.
        observer: Receives the rejected requests.
    """

    def __init__(self, name: str, size: int, observer: Observer) -> None:
        self._name = name
        self._size = size
        self._observer = observer
        # State: free slots, slots held by namespace, requests that wait, and the running mean of the durations.
        self._free = size
        self._held: Counter[str] = Counter()
        self._queue = FairQueue[SharedRequest]()
        self._mean_duration = 0.0

    def __repr__(self) -> str:
        return f"<ConcurrencyLimiter: {self._size - self._free} of {self._size} slots taken, {len(self._queue)} queued>"

    @asynccontextmanager
    async def slot(self, shared_request: SharedRequest) -> AsyncIterator[None]:
        """Hold a slot while the context is open.

        Raises:
            BackendUnavailableError: PROVIDER_OVERLOADED: no slot is expected, or was free, before the deadline.
        """
        await self._acquire(shared_request)
        try:
            yield
        finally:
            self._release(shared_request)

    def has_idle_slots(self, shared_request: SharedRequest) -> bool:
        """Return whether a request that no verdict depends on may take a slot: no request waits, and half stay free."""
        return not self._queue and self._free - 1 >= self._size // 2 and self._is_eligible(shared_request)

    def record_duration(self, seconds: float) -> None:
        """Add the duration of a sent request, however it ended. The expected wait is computed from it."""
        self._mean_duration += (seconds - self._mean_duration) * (_WEIGHT if self._mean_duration else 1.0)

    def reset_durations(self) -> None:
        """Forget the recorded durations, because they do not predict the next ones."""
        self._mean_duration = 0.0

    def add_tenant(self, shared_request: SharedRequest, namespace: str) -> None:
        """Add a namespace that joined a request. The request then waits in the queue of that namespace too."""
        if namespace not in shared_request.namespaces:
            shared_request.namespaces.append(namespace)
            if shared_request in self._queue:
                self._queue.add(shared_request, shared_request.namespaces)
                self._grant_slots()  # the namespace may have a free slot

    def overload_error(self, detail: str) -> BackendUnavailableError:
        """Return the error of a request that gets no slot before its deadline, and report it to the observer."""
        self._observer.shed(self._name)
        return BackendUnavailableError(
            f"backend {self._name}: request limit reached (maxRequests: {self._size}), {detail}",
            f"Raise backends.{self._name}.maxRequests or measure less often",
            kind=FailureKind.OVERLOADED,
        )

    async def _acquire(self, shared_request: SharedRequest) -> None:
        if self._is_eligible(shared_request):
            self._take_slot(shared_request)
            return
        wait = min(map(self._expected_wait, shared_request.namespaces))
        if wait > shared_request.deadline.remaining or len(self._queue) >= _MAX_QUEUE_LENGTH:
            raise self.overload_error(f"{len(self._queue)} queued, estimated wait {wait:.3g} s exceeds the deadline")
        granted = shared_request.slot_granted = asyncio.get_running_loop().create_future()
        self._queue.add(shared_request, shared_request.namespaces)
        try:
            while not granted.done() and shared_request.deadline.remaining:  # a caller that joins may extend it
                await asyncio.wait({granted}, timeout=shared_request.deadline.remaining)
        except asyncio.CancelledError:
            if granted.done():
                self._release(shared_request)
            raise
        finally:
            shared_request.slot_granted = None
            if not granted.done():
                self._queue.remove(shared_request)
        if not granted.done():
            raise self.overload_error(f"{len(self._queue)} queued, no slot before the deadline")

    def _expected_wait(self, namespace: str) -> float:
        # A namespace that has its share while slots are free waits for its own requests only.
        slots = self._held[namespace] if self._free and self._held[namespace] else self._size
        return expected_wait(self._queue.position(namespace), slots, self._mean_duration)

    def _may_take_slot(self, namespace: str) -> bool:
        return may_take_slot(self._held[namespace], self._free)

    def _is_eligible(self, shared_request: SharedRequest) -> bool:
        return any(map(self._may_take_slot, shared_request.namespaces))

    def _take_slot(self, shared_request: SharedRequest) -> None:
        """Charge a slot to the first namespace of a request that may take one."""
        shared_request.slot_holder = next(filter(self._may_take_slot, shared_request.namespaces))
        self._held[shared_request.slot_holder] += 1
        self._free -= 1

    def _release(self, shared_request: SharedRequest) -> None:
        holder = shared_request.slot_holder
        self._free += 1
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]
        self._grant_slots()

    def _grant_slots(self) -> None:
        # Without a free slot the queue would look at every namespace.
        while self._free and (following := self._queue.next(self._may_take_slot)):
            self._take_slot(following)
            if following.slot_granted is not None:
                following.slot_granted.set_result(None)
