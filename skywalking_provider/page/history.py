"""The last measurements, in memory and bounded. They are gone when the service ends: Argo keeps what counts."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import datetime
from itertools import islice

from skywalking_provider.model import Phase
from skywalking_provider.page.entry import Entry, Key, entry_of
from skywalking_provider.page.filters import Filter
from skywalking_provider.page.words import Words
from skywalking_provider.record import Record

MAX_BYTES = 8 * 1024 * 1024


class History:
    """The last measurements.

    Args:
        most: How many.
        now: Our clock.
        mask: Takes the backends' credentials out of a text.
        max_bytes: How much memory they may take, about.
    """

    def __init__(
        self, most: int, now: Callable[[], datetime], mask: Callable[[str], str] = str, max_bytes: int = MAX_BYTES
    ) -> None:
        self._most = most
        self._now = now
        self._words = Words(mask)
        self._max_bytes = max_bytes
        # The state: entries by measurement, the one that was answered last at the end; their size; how many there were.
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._bytes = 0
        self._numbers = 0
        self.revision = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, record: Record) -> None:
        """Keep one answer; a measurement that waits is kept once, as it stands."""
        self.revision += 1
        entry = entry_of(record, self._now(), self._words)
        before = self._entries.pop(entry.key, None)
        if before is None:
            self._numbers += 1
        else:
            self._bytes -= before.size
        entry = entry.after(before, self._numbers)
        self._entries[entry.key] = entry
        self._bytes += entry.size
        while len(self._entries) > self._most or (self._bytes > self._max_bytes and len(self._entries) > 1):
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.size

    def find(self, wanted: Filter, most: int) -> list[Entry]:
        """The latest first."""
        return list(islice((entry for entry in reversed(self._entries.values()) if wanted.takes(entry)), most))

    def count(self, wanted: Filter) -> Counter[Phase]:
        """How many of each phase there are, whatever phases are wanted."""
        return Counter(entry.phase for entry in self._entries.values() if wanted.takes(entry, any_phase=True))

    def namespaces(self) -> list[str]:
        """Those that there are."""
        return sorted({entry.run.namespace for entry in self._entries.values()} - {""})

    def metrics(self) -> list[str]:
        """The names of those that there are."""
        return sorted({entry.metric for entry in self._entries.values()})
