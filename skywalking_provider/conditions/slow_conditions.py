"""Memory of slow conditions, and of the namespaces that they belong to."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from cachetools import LRUCache

_MAX_NAMESPACES = 256
_MAX_CONDITIONS = 64
_MAX_FAST_CONDITIONS = 8192
# A namespace is slow for this long after its last slow condition. Measurements are a minute or so apart.
_MEMORY_SECONDS = 60.0

Key = tuple[str | bytes, ...]


@dataclass(slots=True)
class _SlowNamespace:
    """Slow conditions of one namespace.

    Attributes:
        conditions: Hashes of their texts, the oldest first. A collision costs time only.
        until: Instant until which other conditions of the namespace are suspected, too.
    """

    conditions: OrderedDict[int, None] = field(default_factory=OrderedDict)
    until: float = 0.0


class SlowConditions:
    """Bounded LRU memory of the conditions that exceeded a limit of the fast tier.

    A namespace that had a slow condition within the last minute is slow, too: its conditions are suspected unless they
    are known as fast. Otherwise, a text that differs for each measurement would hold the fast tier each time.

    Args:
        slice_seconds: Time limit of the fast tier. A condition that takes less in the isolated tier is forgotten.
        monotonic: Clock in seconds.
    """

    def __init__(self, slice_seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._slice_seconds = slice_seconds
        self._monotonic = monotonic
        self._namespaces: OrderedDict[str, _SlowNamespace] = OrderedDict()
        self._fast: LRUCache[int, None] = LRUCache(maxsize=_MAX_FAST_CONDITIONS)

    def __len__(self) -> int:
        return sum(len(namespace.conditions) for namespace in self._namespaces.values())

    def is_suspected(self, namespace: str, key: Key) -> bool:
        """Return whether a condition may be slow: it was before, or it is unknown and its namespace is slow."""
        slow = self._namespaces.get(namespace)
        if slow is None:
            return False
        return hash(key) in slow.conditions or (
            self._monotonic() < slow.until and hash((namespace, key)) not in self._fast
        )

    def add_fast(self, namespace: str, key: Key) -> None:
        """Remember a condition that exceeded no limit of the fast tier."""
        self._fast[hash((namespace, key))] = None

    def add(self, namespace: str, key: Key) -> None:
        """Remember a slow condition, and drop the oldest ones beyond the bounds."""
        slow = self._namespaces.setdefault(namespace, _SlowNamespace())
        self._namespaces.move_to_end(namespace)
        slow.until = self._monotonic() + _MEMORY_SECONDS
        self._fast.pop(hash((namespace, key)), None)
        slow.conditions[hash(key)] = None
        slow.conditions.move_to_end(hash(key))
        if len(slow.conditions) > _MAX_CONDITIONS:
            slow.conditions.popitem(last=False)
        if len(self._namespaces) > _MAX_NAMESPACES:
            self._namespaces.popitem(last=False)

    def record_duration(self, namespace: str, key: Key, cpu_seconds: float) -> None:
        """Record the CPU time of a condition in the isolated tier, which a busy machine does not distort."""
        if cpu_seconds >= self._slice_seconds:
            self.add(namespace, key)
        elif (slow := self._namespaces.get(namespace)) is not None:
            slow.conditions.pop(hash(key), None)
            if not slow.conditions:  # it was slow only because the machine was busy
                del self._namespaces[namespace]
