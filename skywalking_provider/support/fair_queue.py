"""Fair queue: one FIFO queue per tenant, served in the order of the least use. No I/O.

Without `charge`, every item costs the same, and the tenants are served round robin. With it, the tenant whose items
cost the least comes first: start-time fair queueing, as in a CPU scheduler.
"""

import heapq
from collections.abc import Callable, Hashable, Iterable
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class FairQueue(Generic[Item]):
    """Items that wait to be served, queued per tenant.

    An item that several tenants wait for is in the queue of each and leaves all of them at once. The use of a tenant
    counts while others wait: a queue that ran empty starts anew.

    Args:
        cost: Cost of an item, charged to the tenant for which it is served.
    """

    def __init__(self, cost: float = 1.0) -> None:
        self._cost = cost
        # State: the tenants of each queued item, and the queues by tenant. No queue is empty.
        self._tenants: dict[Item, list[str]] = {}
        self._queues: dict[str, dict[Item, None]] = {}
        # State: what each tenant has used, and one entry for each of them in the order in which they are served. Both
        # contain a tenant with an empty queue until all others have used as much. An entry may be out of date.
        self._used: dict[str, float] = {}
        self._order: list[tuple[float, int, str]] = []
        self._numbers = count()
        self._level = 0.0

    def __len__(self) -> int:
        return len(self._tenants)

    def __contains__(self, item: object) -> bool:
        return item in self._tenants

    def add(self, item: Item, tenants: Iterable[str]) -> None:
        """Append an item to the queues of its tenants. Adding it again adds the tenants that it did not have."""
        known = self._tenants.setdefault(item, [])
        for tenant in tenants:
            if tenant not in known:
                known.append(tenant)
                self._queues.setdefault(tenant, {})[item] = None
                if tenant not in self._used:
                    self._push(tenant, self._level + self._cost)

    def remove(self, item: Item) -> None:
        """Remove an item from all queues."""
        for tenant in self._tenants.pop(item, ()):
            queue = self._queues[tenant]
            del queue[item]
            if not queue:
                del self._queues[tenant]

    def next(self, eligible: Callable[[str], bool] = lambda _: True) -> Item | None:
        """Remove and return the first item of the tenant that has used the least; among equals, of the longest ago.

        Args:
            eligible: Returns whether a tenant may be served now. The others keep their places.
        """
        skipped: list[tuple[float, int, str]] = []
        served: Item | None = None
        while served is None and self._queues and self._order:
            entry = heapq.heappop(self._order)
            used, _, tenant = entry
            if used < self._used[tenant]:  # charged meanwhile
                self._push(tenant, self._used[tenant])
            elif tenant not in self._queues:
                del self._used[tenant]
            elif not eligible(tenant):
                skipped.append(entry)
            else:
                self._level = used
                self._push(tenant, used + self._cost)
                served = next(iter(self._queues[tenant]))
                self.remove(served)
        for entry in skipped:
            heapq.heappush(self._order, entry)
        if served is None and not self._queues:
            self._used.clear()
            self._order.clear()
        return served

    def charge(self, tenant: str, cost: float) -> None:
        """Add what a served item cost beyond the common cost."""
        if tenant in self._used:
            self._used[tenant] += cost

    def length(self, tenant: str) -> int:
        """Return the number of items in the queue of a tenant."""
        return len(self._queues.get(tenant, ()))

    def position(self, tenant: str) -> int:
        """Return how many items of equal cost are served before a new one of a tenant.

        It is an upper bound: a tenant is served once for each item of this one, and it may have fewer.
        """
        own = self.length(tenant)
        return own + sum(min(len(queue), own + 1) for other, queue in self._queues.items() if other != tenant)

    def _push(self, tenant: str, used: float) -> None:
        self._used[tenant] = used
        heapq.heappush(self._order, (used, next(self._numbers), tenant))
