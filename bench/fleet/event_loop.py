"""Event loop with virtual time."""

import heapq
from collections.abc import Callable
from typing import Any


class EventLoop:
    """Actions by time. Actions of the same time run in the order in which they were added.

    Attributes:
        now: Current time in seconds.
    """

    __slots__ = ("_added", "_heap", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._added = 0

    def at(self, time: float, action: Callable[..., None], *args: Any) -> None:
        """Run an action at a time, now at the earliest."""
        self._added += 1
        heapq.heappush(self._heap, (max(time, self.now), self._added, action, args))

    def run(self, until: float) -> None:
        """Run the actions until a time."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, action, args = heapq.heappop(heap)
            action(*args)
        self.now = until
