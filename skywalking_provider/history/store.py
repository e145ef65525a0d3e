"""The last measurements, in memory and bounded. They are gone when the service ends: Argo keeps what counts."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import datetime
from itertools import islice

from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.history.entry import HistoryEntry, MeasurementKey, build_entry
from skywalking_provider.history.filter import HistoryFilter
from skywalking_provider.history.sanitize import TextSanitizer
from skywalking_provider.model import Phase

MAX_BYTES = 8 * 1024 * 1024


class History:
    """The last measurements.

    Args:
        max_entries: How many.
        now: Our clock.
        redact: Takes the backends' credentials out of a text.
        max_bytes: How much memory they may take, about.
    """

    def __init__(
        self,
        max_entries: int,
        now: Callable[[], datetime],
        redact: Callable[[str], str] = str,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._max_entries = max_entries
        self._now = now
        self._sanitizer = TextSanitizer(redact)
        self._max_bytes = max_bytes
        # The state: entries by measurement, the one that was answered last at the end; their size; how many there were.
        self._entries: OrderedDict[MeasurementKey, HistoryEntry] = OrderedDict()
        self._bytes = 0
        self._entries_total = 0
        self.revision = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, event: MeasurementEvent) -> None:
        """Keep one answer; a measurement that waits is kept once, as it stands."""
        self.revision += 1
        entry = build_entry(event, self._now(), self._sanitizer)
        before = self._entries.pop(entry.key, None)
        if before is None:
            self._entries_total += 1
        else:
            self._bytes -= before.size
        entry = entry.continue_from(before, self._entries_total)
        self._entries[entry.key] = entry
        self._bytes += entry.size
        while len(self._entries) > self._max_entries or (self._bytes > self._max_bytes and len(self._entries) > 1):
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.size

    def find(self, criteria: HistoryFilter, limit: int) -> list[HistoryEntry]:
        """The latest first."""
        return list(islice((entry for entry in reversed(self._entries.values()) if criteria.matches(entry)), limit))

    def count(self, criteria: HistoryFilter) -> Counter[Phase]:
        """How many of each phase there are, whatever phases are wanted."""
        return Counter(entry.phase for entry in self._entries.values() if criteria.matches(entry, any_phase=True))

    def namespaces(self) -> list[str]:
        """Those that there are."""
        return sorted({entry.run.namespace for entry in self._entries.values()} - {""})

    def metrics(self) -> list[str]:
        """The names of those that there are."""
        return sorted({entry.metric for entry in self._entries.values()})
