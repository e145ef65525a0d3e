"""Recorded responses of an OAP server for past minutes: in memory, on disk, or else read from the OAP.

A series is read in chunks of six hours for the whole history, when the engine first needs it. Windows are cut from
the chunks. A read that depends on its window as a whole, such as `avg(…)`, is read for each window, those of the next
looks together.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from skywalking_provider.errors import BackendUnavailableError
from skywalking_provider.model import Window
from skywalking_provider.oap.api.inventory import InventoryInstance, InventoryService
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.tools.backtest.cached_reads import CachedReads
from skywalking_provider.tools.backtest.chunk_cache import ChunkCache
from skywalking_provider.tools.backtest.history import MINUTE, History, split_window
from skywalking_provider.tools.backtest.live_reads import LiveReads
from skywalking_provider.tools.backtest.recorded_lists import RecordedLists
from skywalking_provider.tools.backtest.recorded_queries import RecordedQueries
from skywalking_provider.tools.backtest.recorded_series import RecordedSeries
from skywalking_provider.tools.backtest.recorded_windows import RecordedWindows
from skywalking_provider.tools.backtest.series_key import SeriesKey, is_bucketwise, reads_buckets
from skywalking_provider.tools.backtest.slicing import find_first_buckets, find_values


class RecordedOap:
    """Responses of one OAP for the minutes of a history.

    Args:
        live: Reads of the OAP.
        cache: Responses on disk.
        history: Minutes that are replayed.
    """

    def __init__(self, live: LiveReads, cache: ChunkCache, history: History) -> None:
        self.history = history
        self._reads = CachedReads(live, cache, history)
        self._lists = RecordedLists(self._reads)
        self._series = RecordedSeries(self._reads, self._lists)
        self._queries = RecordedQueries(self._reads)
        self._windows = RecordedWindows(self._reads)

    @property
    def failure(self) -> BackendUnavailableError | OSError | None:
        """Error of a read that ended the backtest: the OAP is unavailable; None without one."""
        return self._reads.failure

    def expect_windows(self, windows: Sequence[Window]) -> None:
        """Set the windows of the looks that follow, in order of their ends, for reading ahead."""
        self._windows.expected = windows

    async def series(self, requests: Sequence[SeriesRequest], window: Window) -> dict[str, Any]:
        """Return the fields of series in a window, by alias."""
        keys = {request.alias: SeriesKey.of(request) for request in requests}
        parts = split_window(self.history, window)
        await self._series.record([key for key in keys.values() if is_bucketwise(key.expression)], parts)
        fields: dict[str, Any] = {}
        for alias, key in keys.items():
            field = self._series.cut(key, parts) if is_bucketwise(key.expression) else None
            fields[alias] = await self._windows.read(key, window) if field is None else field
        return fields

    async def instances(self, service: InventoryService, window: Window) -> tuple[InventoryInstance, ...]:
        """Return the instances of a service that the OAP listed in the hours of a window."""
        return await self._lists.read(service, window)

    async def query(self, request: GraphqlRequest, window: Window) -> dict[str, Any]:
        """Return the data of an author's query in a window."""
        if reads_buckets(request.query):
            joined = await self._queries.read(request, split_window(self.history, window))
            if joined is not None:
                return joined
        data: dict[str, Any] = await self._windows.read(request.query, window)
        return data

    async def inventory(self, request: GraphqlRequest) -> dict[str, Any]:
        """Return the data of a request that does not depend on a window, as they are now."""
        data: dict[str, Any] = await self._reads.guard(self._reads.live.data(request))
        return data

    def find_first_minute(self) -> datetime | None:
        """Return the first minute of the history in which any recorded response has a value; None without one."""
        responses = (*self._series.fields.items(), *self._queries.responses.items())
        recorded = [(start, one) for (_, start), one in responses]
        for start, chunk_fields in groupby(sorted(recorded, key=_start_of), key=_start_of):
            first = max(0, (self.history.start - start) // MINUTE)
            found = [at for _, field in chunk_fields for at in find_first_buckets(field, first)]
            if found:
                return start + min(found) * MINUTE
        windows = self._windows.responses.items()
        return min((window.start for (_, window), field in windows if any(find_values(field))), default=None)


def _start_of(recorded: tuple[datetime, Any]) -> datetime:
    return recorded[0]
