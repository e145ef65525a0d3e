"""Order of the calls that wait until their requests are received: fair by peer. No I/O."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class ReceiveQueue(Generic[Item]):
    """Calls that wait, by peer, and the number of receipts in progress of each peer.

    The peer with the fewest receipts in progress comes first. Peers with equally many take turns, and the calls of one
    peer are served in the order of their arrival. A look at all peers is cheap: a server has a few hundred connections.
    """

    def __init__(self) -> None:
        # State: the waiting calls by peer, the peer that was served the longest ago first. No queue is empty.
        self._waiting: dict[str, dict[Item, None]] = {}
        self._length = 0
        self._receiving: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._length

    def add(self, peer: str, item: Item) -> None:
        """Append a call of a peer."""
        self._waiting.setdefault(peer, {})[item] = None
        self._length += 1

    def remove(self, peer: str, item: Item) -> None:
        """Remove a call if it still waits."""
        queue = self._waiting.get(peer, {})
        if item in queue:
            del queue[item]
            self._length -= 1
            if not queue:
                del self._waiting[peer]

    def pop_next(self) -> tuple[str, Item]:
        """Remove the call that is served next, and return it with its peer."""
        peer = min(self._waiting, key=lambda one: self._receiving[one])
        item = next(iter(self._waiting[peer]))
        self.remove(peer, item)
        if peer in self._waiting:
            self._waiting[peer] = self._waiting.pop(peer)  # the last one of the next round
        return peer, item

    def pop_excess(self) -> Item:
        """Remove the newest call of the peer with the most waiting calls, and return it."""
        peer = max(self._waiting, key=lambda one: len(self._waiting[one]))
        item = next(reversed(self._waiting[peer]))
        self.remove(peer, item)
        return item

    def begin(self, peer: str) -> None:
        """Count a receipt of a peer as in progress."""
        self._receiving[peer] += 1

    def end(self, peer: str) -> None:
        """Count a receipt of a peer as ended."""
        self._receiving[peer] -= 1
        if not self._receiving[peer]:
            del self._receiving[peer]
