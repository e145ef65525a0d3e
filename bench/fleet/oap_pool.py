"""OAPs behind one address: workers with a queue, and their loss."""

import heapq

from bench.fleet.model import BACKEND, Fleet, OapLoss
from skywalking_provider.errors import FailureKind

_REFUSED_SECONDS = 0.001  # until a refused connection is known
_TIMEOUT = BACKEND.timeout.total_seconds()


class OapPool:
    """Workers of all OAPs. A request takes the first free worker, so the OAPs are balanced perfectly.

    Args:
        fleet: The fleet.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._seconds = fleet.oap_seconds
        self._oaps = fleet.oaps
        self._workers = fleet.oap_workers
        # State: when each worker is free with its OAP, the lost OAPs, whether they hang, and the last loss.
        self._free = [(0.0, oap) for oap in range(fleet.oaps) for _ in range(fleet.oap_workers)]
        self._lost: set[int] = set()
        self._hangs = False
        self._lost_at = float("-inf")

    def serve(self, now: float) -> tuple[float, int, FailureKind | None]:
        """Send a request. Return when it ends, on which OAP, and its failure."""
        if not self._free:
            if self._hangs:
                return now + _TIMEOUT, -1, FailureKind.TIMEOUT
            return now + _REFUSED_SECONDS, -1, FailureKind.CONNECT
        free_at, oap = self._free[0]
        ends_at = max(now, free_at) + self._seconds
        heapq.heapreplace(self._free, (ends_at, oap))
        if ends_at - now > _TIMEOUT:
            return now + _TIMEOUT, oap, FailureKind.TIMEOUT
        return ends_at, oap, None

    def was_lost(self, oap: int, sent_at: float) -> FailureKind | None:
        """Return the failure of a request whose OAP was lost after it was sent; None if it was not."""
        if oap not in self._lost or self._lost_at < sent_at:
            return None
        return FailureKind.TIMEOUT if self._hangs else FailureKind.CONNECT

    def lose(self, loss: OapLoss, now: float) -> None:
        """Lose the first OAPs."""
        self._lost, self._hangs, self._lost_at = set(range(loss.count)), loss.hangs, now
        self._free = [one for one in self._free if one[1] not in self._lost]
        heapq.heapify(self._free)

    def restore(self, now: float) -> None:
        """Restore all OAPs."""
        for oap in self._lost:
            for _ in range(self._workers):
                heapq.heappush(self._free, (now, oap))
        self._lost = set()
