"""Recorded reads that depend on a whole window, such as `avg(…)`: those of the next looks are read together."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Final

from skywalking_provider.model import Window
from skywalking_provider.tools.backtest.cached_reads import CachedReads, with_window
from skywalking_provider.tools.backtest.series_key import SeriesKey

_READ_AHEAD: Final = 60
"""Windows of an aggregated read that are read together."""


class RecordedWindows:
    """Responses to series and author's queries by their windows.

    Args:
        reads: Reads of the OAP.

    Attributes:
        expected: Windows of the looks that follow, in order of their ends, for reading ahead.
    """

    def __init__(self, reads: CachedReads) -> None:
        self.expected: Sequence[Window] = ()
        self._reads = reads
        self._responses: dict[tuple[SeriesKey | str, Window], Any] = {}

    @property
    def responses(self) -> Mapping[tuple[SeriesKey | str, Window], Any]:
        """Recorded responses."""
        return self._responses

    async def read(self, key: SeriesKey | str, window: Window) -> Any:
        """Return the response to a series, or to the text of a query, in a window."""
        if (key, window) not in self._responses:
            await self._record(key, self._find_following(key, window))
        return self._responses[key, window]

    def _find_following(self, key: SeriesKey | str, window: Window) -> list[Window]:
        """Return a window and the next ones that are expected and not recorded."""
        at = bisect_left(self.expected, window.end, key=lambda one: one.end)
        following = [
            one for one in self.expected[at : at + _READ_AHEAD] if (key, one) not in self._responses and one != window
        ]
        return [window, *following]

    async def _record(self, key: SeriesKey | str, windows: Sequence[Window]) -> None:
        reads, live = self._reads, self._reads.live
        text = f"window {key if isinstance(key, str) else key.text}"
        missing = []
        for window in windows:
            stored = reads.load(text, window)
            if stored is None:
                missing.append(window)
            else:
                self._responses[key, window] = stored
        if not missing:
            return
        live.progress.add_needed(1)
        if isinstance(key, str):
            read = [await reads.guard(live.data(with_window(key, one))) for one in missing[:1]]
            read += await reads.gather(reads.guard(live.data(with_window(key, one))) for one in missing[1:])
            found = dict(zip(missing, read, strict=True))
        else:
            found = await reads.guard(live.windows(key, missing))
        for window, field in found.items():
            self._responses[key, window] = field
            reads.save(text, window, field)
        live.progress.add_complete()
