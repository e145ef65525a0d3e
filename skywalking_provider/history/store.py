"""Bounded in-memory store of the last measurements. It is empty after a restart; Argo keeps the AnalysisRuns."""

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
    """Store of the last measurements.

    Args:
        max_entries: Maximum number of measurements.
        now: Wall clock.
        redact: Function that removes the backends' credentials from a text.
        max_bytes: Approximate limit of memory use in bytes.

    Attributes:
        revision: Number of events so far.
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
        # Entries by measurement, the latest last; their size in bytes; the number of measurements so far.
        self._entries: OrderedDict[MeasurementKey, HistoryEntry] = OrderedDict()
        self._bytes = 0
        self._entries_total = 0
        self.revision = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, event: MeasurementEvent) -> None:
        """Store an event; later events of a measurement replace its entry."""
        self.revision += 1
        entry = build_entry(event, self._now(), self._sanitizer)
        previous = self._entries.pop(entry.key, None)
        if previous is None:
            self._entries_total += 1
        else:
            self._bytes -= previous.size
        entry = entry.continue_from(previous, self._entries_total)
        self._entries[entry.key] = entry
        self._bytes += entry.size
        while len(self._entries) > self._max_entries or (self._bytes > self._max_bytes and len(self._entries) > 1):
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.size

    def find(self, criteria: HistoryFilter, limit: int) -> list[HistoryEntry]:
        """Return the matching entries, the latest first."""
        return list(islice((entry for entry in reversed(self._entries.values()) if criteria.matches(entry)), limit))

    def count(self, criteria: HistoryFilter) -> Counter[Phase]:
        """Count the matching entries by phase, regardless of the phases of the filter."""
        return Counter(entry.phase for entry in self._entries.values() if criteria.matches(entry, any_phase=True))

    def namespaces(self) -> list[str]:
        """Return the namespaces of all entries."""
        return sorted({entry.run.namespace for entry in self._entries.values()} - {""})

    def metrics(self) -> list[str]:
        """Return the names of the metrics of all entries."""
        return sorted({entry.metric for entry in self._entries.values()})
