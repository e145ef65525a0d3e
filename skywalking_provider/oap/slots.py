"""A bounded number of requests in flight to one OAP, shared fairly, and refused where waiting is in vain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from skywalking_provider.errors import BackendAway, Reason
from skywalking_provider.oap.errand import Errand
from skywalking_provider.oap.observer import Observer
from skywalking_provider.oap.turns import Turns

_LONGEST: Final = 10_000  # errands that wait: a bound of memory, far above what any deadline lets through
_WEIGHT: Final = 0.2  # of the latest request in the running mean of how long one takes


def expected_wait(before: int, slots: int, seconds: float) -> float:
    """How long a newcomer waits for its slot.

    Args:
        before: How many wait and are served before it, while all slots are taken.
        slots: How many there are.
        seconds: How long a request takes.
    """
    return (before + 1) * seconds / slots


class Slots:
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
        self._turns = Turns()
        self._seconds = 0.0

    def __repr__(self) -> str:
        return f"<Slots: {self._size - self._free} of {self._size} taken, {len(self._turns)} wait>"

    @asynccontextmanager
    async def held(self, errand: Errand) -> AsyncIterator[None]:
        """Hold a slot for as long as the context lasts.

        Raises:
            BackendAway: PROVIDER_OVERLOADED; there would be none, or was none, by the errand's deadline.
        """
        await self._take(errand)
        try:
            yield
        finally:
            self._give_back()

    def took(self, seconds: float) -> None:
        """A request was sent, and this long is what it took, however it ended: by that the wait is foreseen."""
        self._seconds += (seconds - self._seconds) * (_WEIGHT if self._seconds else 1.0)

    def forget(self) -> None:
        """What requests took is no measure any more of what they take."""
        self._seconds = 0.0

    def join(self, errand: Errand, namespace: str) -> None:
        """Another namespace waits for the same: the errand may take its turn, too."""
        if namespace not in errand.namespaces:
            errand.namespaces.append(namespace)
            if errand in self._turns:
                self._turns.add(errand)

    def refuse(self, how: str) -> BackendAway:
        """The error of a request that would not get, or did not get, its slot in time."""
        self._observer.shed(self._name)
        return BackendAway(
            f"backend {self._name}: all {self._size} requests that may be in flight at the same time are (maxRequests),"
            f" {how}",
            f"raise backends.{self._name}.maxRequests if the OAP bears more, or measure less often",
            reason=Reason.PROVIDER_OVERLOADED,
        )

    async def _take(self, errand: Errand) -> None:
        if self._free:
            self._free -= 1
            return
        before = min(self._turns.before(namespace) for namespace in errand.namespaces)
        wait = expected_wait(before, self._size, self._seconds)
        if wait > errand.deadline.remaining or len(self._turns) >= _LONGEST:
            raise self.refuse(f"{len(self._turns)} wait, about {wait:.3g} s long")
        turn = errand.turn = asyncio.get_running_loop().create_future()
        self._turns.add(errand)
        try:
            while not turn.done() and errand.deadline.remaining:  # who joins may have more time
                await asyncio.wait({turn}, timeout=errand.deadline.remaining)
        except asyncio.CancelledError:
            if turn.done():
                self._give_back()
            raise
        finally:
            errand.turn = None
            if not turn.done():
                self._turns.remove(errand)
        if not turn.done():
            raise self.refuse(f"{len(self._turns)} wait")

    def _give_back(self) -> None:
        following = self._turns.next()
        if following is None:
            self._free += 1
        elif following.turn is not None:
            following.turn.set_result(None)
