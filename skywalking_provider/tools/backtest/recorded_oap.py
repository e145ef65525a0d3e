"""Recorded responses of an OAP server for past minutes: in memory, on disk, or else read from the OAP.

A series is read in chunks of six hours for the whole history, when the engine first needs it. Windows are cut from
the chunks. A read that depends on its window as a whole, such as `avg(…)`, is read for each window, those of the next
looks together.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from skywalking_provider.errors import BackendUnavailableError, ProviderError
from skywalking_provider.model import Window
from skywalking_provider.oap.api.inventory import (
    INSTANCES_ALIAS,
    InventoryInstance,
    InventoryService,
    parse_instances,
)
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.tools.backtest.chunk_cache import ChunkCache
from skywalking_provider.tools.backtest.history import MINUTE, Chunk, History
from skywalking_provider.tools.backtest.live_reads import LiveReads
from skywalking_provider.tools.backtest.series_key import SeriesKey, is_bucketwise, reads_buckets
from skywalking_provider.tools.backtest.slicing import (
    UnslicableError,
    cut,
    cut_expression,
    find_first_buckets,
    find_values,
    join,
    join_expressions,
)

_READ_AHEAD: Final = 60
"""Windows of an aggregated read that are read together."""
_TIME_SERIES: Final = "TIME_SERIES_VALUES"
_HOUR: Final = 60 * MINUTE


class RecordedOap:
    """Responses of one OAP for the minutes of a history.

    Args:
        live: Reads of the OAP.
        cache: Responses on disk.
        history: Minutes that are replayed.

    Attributes:
        failure: Error of a read that ended the backtest: the OAP is unavailable; None without one.
        expected_windows: Windows of the looks that follow, in order of their ends, for reading ahead.
    """

    def __init__(self, live: LiveReads, cache: ChunkCache, history: History) -> None:
        self.failure: BackendUnavailableError | OSError | None = None
        self.expected_windows: Sequence[Window] = ()
        self.history = history
        self._live = live
        self._cache = cache
        # State: responses by key and chunk, responses by key and window, lists by service and hour.
        self._series: dict[tuple[SeriesKey, datetime], Any] = {}
        self._errors: dict[tuple[Any, datetime], ProviderError] = {}
        self._queries: dict[tuple[str, datetime], Any] = {}
        self._windows: dict[tuple[Any, Window], Any] = {}
        self._lists: dict[tuple[str, datetime], tuple[InventoryInstance, ...]] = {}
        self._listed: dict[tuple[str, bool, str], set[datetime]] = {}
        self._merged: dict[tuple[str, tuple[datetime, ...]], tuple[InventoryInstance, ...]] = {}

    async def series(self, requests: Sequence[SeriesRequest], window: Window) -> dict[str, Any]:
        """Return the fields of series in a window, by alias."""
        keys = {request.alias: SeriesKey.of(request) for request in requests}
        mqe = self._live.mqe
        parts = self._parts(window)
        await self._record_series([key for key in keys.values() if is_bucketwise(key.expression)], parts)
        fields: dict[str, Any] = {}
        for alias, key in keys.items():
            if is_bucketwise(key.expression):
                fields[alias] = self._cut_series(key, parts, mqe=mqe)
            if alias not in fields or fields[alias] is None:
                fields[alias] = await self._window(key, window)
        return fields

    async def instances(self, service: InventoryService, window: Window) -> tuple[InventoryInstance, ...]:
        """Return the instances of a service that the OAP listed in the hours of a window."""
        await self._record_lists(service)
        start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
        hours, hour = [], start.replace(minute=0)
        while hour < end:
            hours.append(hour)
            hour += _HOUR
        key = (service.id, tuple(hours))
        if key not in self._merged:
            listed = {one.name: one for hour in hours for one in self._lists.get((service.id, hour), ())}
            self._merged[key] = tuple(listed.values())
        return self._merged[key]

    async def query(self, request: GraphqlRequest, window: Window) -> dict[str, Any]:
        """Return the data of an author's query in a window."""
        if reads_buckets(request.query):
            parts = self._parts(window)
            await self._record_query(request, parts)
            pieces = [
                cut(self._queries[request.query, chunk.start], first, last, chunk.minutes)
                for chunk, first, last in parts
            ]
            try:
                joined = pieces[0] if pieces else {}
                for piece in pieces[1:]:
                    joined = join(joined, piece)
            except UnslicableError:
                pass
            else:
                return dict(joined)
        data: dict[str, Any] = await self._window(request.query, window)
        return data

    async def inventory(self, request: GraphqlRequest) -> dict[str, Any]:
        """Return the data of a request that does not depend on a window, as they are now."""
        data: dict[str, Any] = await self._guard(self._live.data(request))
        return data

    def find_first_minute(self) -> datetime | None:
        """Return the first minute of the history in which any recorded response has a value; None without one."""
        recorded = [(start, one) for (_, start), one in (*self._series.items(), *self._queries.items())]
        for start, chunk_fields in groupby(sorted(recorded, key=_start_of), key=_start_of):
            first = max(0, (self.history.start - start) // MINUTE)
            found = [at for _, field in chunk_fields for at in find_first_buckets(field, first)]
            if found:
                return start + min(found) * MINUTE
        with_values = (window.start for (_, window), field in self._windows.items() if any(find_values(field)))
        return min(with_values, default=None)

    # -- series in chunks

    def _parts(self, window: Window) -> Sequence[tuple[Chunk, int, int]]:
        return _split(self.history, window.start.astimezone(UTC), window.end.astimezone(UTC))

    def _cut_series(self, key: SeriesKey, parts: Sequence[tuple[Chunk, int, int]], *, mqe: bool) -> Any:
        """Return the field of a series; None if it cannot be cut from its chunks."""
        fields = [(self._series.get((key, chunk.start)), chunk, first, last) for chunk, first, last in parts]
        if not mqe:
            pieces = [cut(field, first, last, chunk.minutes) for field, chunk, first, last in fields if field]
            joined = pieces[0]
            for piece in pieces[1:]:
                joined = join(joined, piece)
            return joined
        cuts: list[tuple[dict[str, Any], int]] = []
        for field, _, first, last in fields:
            if field is None:  # an instance that was not listed in the chunk
                cuts.append(({"type": _TIME_SERIES, "error": None, "results": []}, last - first))
            elif field.get("type") == _TIME_SERIES and not field.get("error"):
                cuts.append((cut_expression(field, first, last), last - first))
            else:
                return None
        return cuts[0][0] if len(cuts) == 1 else join_expressions(cuts)

    async def _record_series(self, keys: Sequence[SeriesKey], parts: Sequence[tuple[Chunk, int, int]]) -> None:
        self._raise_error(keys, parts)
        missing = [key for key in keys if not all(self._is_recorded(key, chunk) for chunk, _, _ in parts)]
        if not missing:
            return
        chunks = sorted({*self.history.chunks, *(chunk for chunk, _, _ in parts)}, key=lambda one: one.start)
        reads = [(chunk, needed) for chunk in chunks if (needed := [one for one in missing if self._needs(one, chunk)])]
        self._live.progress.add_needed(len(reads))
        await self._gather(self._record_chunk(chunk, needed) for chunk, needed in reads)
        self._raise_error(keys, parts)

    def _raise_error(self, keys: Iterable[SeriesKey | str], parts: Sequence[tuple[Chunk, int, int]]) -> None:
        """Raise the error of a chunk that the OAP rejected, at every measurement that needs it."""
        for key in keys:
            for chunk, _, _ in parts:
                if error := self._errors.get((key, chunk.start)):
                    raise error

    def _is_recorded(self, key: SeriesKey, chunk: Chunk) -> bool:
        return (key, chunk.start) in self._series or not self._needs(key, chunk)

    def _needs(self, key: SeriesKey, chunk: Chunk) -> bool:
        """Return whether a series must be read in a chunk: it is not recorded, and its instance was listed then."""
        if (key, chunk.start) in self._series:
            return False
        if key.entity.instance is None or not self._live.mqe:
            return True
        hours = self._listed.get((key.entity.service, key.entity.normal, key.entity.instance))
        return hours is None or any(chunk.start <= hour < chunk.end for hour in hours)

    async def _record_chunk(self, chunk: Chunk, keys: Sequence[SeriesKey]) -> None:
        missing = []
        for key in keys:
            stored = self._cache.load(f"series {self._live.mqe} {key.text}", _part(chunk))
            if stored is None:
                missing.append(key)
            else:
                self._series[key, chunk.start] = stored
        if missing:
            try:
                fields = await self._guard(self._live.series(missing, chunk, self.history))
            except BackendUnavailableError:
                raise
            except ProviderError as error:
                self._errors |= {(key, chunk.start): error for key in missing}
                return
            for key, field in fields.items():
                self._series[key, chunk.start] = field
                self._save(f"series {self._live.mqe} {key.text}", chunk, field)
        self._live.progress.add_complete()

    # -- lists of instances by the hour

    async def _record_lists(self, service: InventoryService) -> None:
        chunks = self.history.chunks
        if (service.id, chunks[-1].start) in self._lists:
            return
        self._live.progress.add_needed(len(chunks))
        await self._gather(self._record_list(service, chunk) for chunk in chunks)

    async def _record_list(self, service: InventoryService, chunk: Chunk) -> None:
        key = f"instances {service.id}"
        hours = self._cache.load(key, _part(chunk))
        if hours is None:
            hours = await self._guard(self._live.instances(service.id, chunk, self.history))
            self._save(key, chunk, hours)
        for text, listed in hours.items():
            hour = datetime.fromisoformat(text)
            self._lists[service.id, hour] = parse_instances({INSTANCES_ALIAS: listed})
            for one in self._lists[service.id, hour]:
                self._listed.setdefault((service.name, service.normal, one.name), set()).add(hour)
        self._live.progress.add_complete()

    # -- an author's query in chunks

    async def _record_query(self, request: GraphqlRequest, parts: Sequence[tuple[Chunk, int, int]]) -> None:
        text = request.query
        self._raise_error((text,), parts)
        if all((text, chunk.start) in self._queries for chunk, _, _ in parts):
            return
        chunks = [
            one
            for one in {*self.history.chunks, *(part[0] for part in parts)}
            if (text, one.start) not in self._queries
        ]
        self._live.progress.add_needed(len(chunks))
        await self._gather(self._record_query_chunk(request, one) for one in chunks)
        self._raise_error((text,), parts)

    async def _record_query_chunk(self, request: GraphqlRequest, chunk: Chunk) -> None:
        key = f"query {request.query}"
        data = self._cache.load(key, _part(chunk))
        if data is None:
            try:
                data = await self._guard(self._live.data(_with_window(request.query, chunk.window(self.history.zone))))
            except BackendUnavailableError:
                raise
            except ProviderError as error:
                self._errors[request.query, chunk.start] = error
                return
            self._save(key, chunk, data)
        self._queries[request.query, chunk.start] = data
        self._live.progress.add_complete()

    # -- reads of whole windows

    async def _window(self, key: SeriesKey | str, window: Window) -> Any:
        if (key, window) not in self._windows:
            await self._record_windows(key, self._following(key, window))
        return self._windows[key, window]

    def _following(self, key: SeriesKey | str, window: Window) -> list[Window]:
        """Return a window and the next ones that are expected and not recorded."""
        expected = self.expected_windows
        at = bisect_left(expected, window.end, key=lambda one: one.end)
        following = [
            one for one in expected[at : at + _READ_AHEAD] if (key, one) not in self._windows and one != window
        ]
        return [window, *following]

    async def _record_windows(self, key: SeriesKey | str, windows: Sequence[Window]) -> None:
        text = key if isinstance(key, str) else key.text
        missing = []
        for window in windows:
            stored = self._cache.load(f"window {text}", _format(window))
            if stored is None:
                missing.append(window)
            else:
                self._windows[key, window] = stored
        if not missing:
            return
        self._live.progress.add_needed(1)
        if isinstance(key, str):
            read = [await self._guard(self._live.data(_with_window(key, one))) for one in missing[:1]]
            read += await self._gather(self._guard(self._live.data(_with_window(key, one))) for one in missing[1:])
            found = dict(zip(missing, read, strict=True))
        else:
            found = await self._guard(self._live.windows(key, missing))
        for window, field in found.items():
            self._windows[key, window] = field
            self._save_text(f"window {text}", _format(window), field)
        self._live.progress.add_complete()

    # -- failures

    async def _guard(self, read: Awaitable[Any]) -> Any:
        """Return the result of a read, and keep the error of an OAP that is unavailable: nothing is known then."""
        try:
            return await read
        except BackendUnavailableError as error:
            self.failure = self.failure or error
            raise

    def _save(self, key: str, chunk: Chunk, content: Any) -> None:
        self._save_text(key, _part(chunk), content)

    def _save_text(self, key: str, part: str, content: Any) -> None:
        try:
            self._cache.save(key, part, content)
        except OSError as error:
            self.failure = self.failure or error

    async def _gather(self, reads: Iterable[Awaitable[Any]]) -> list[Any]:
        tasks = [asyncio.ensure_future(read) for read in reads]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()


@lru_cache(4096)
def _split(history: History, start: datetime, end: datetime) -> tuple[tuple[Chunk, int, int], ...]:
    """Return the chunks of a window, each with the positions of the window's part in it."""
    return tuple(
        (one, max(0, (start - one.start) // MINUTE), min(one.minutes, (end - one.start) // MINUTE))
        for one in history.chunks_of(start, end)
    )


def _start_of(recorded: tuple[datetime, Any]) -> datetime:
    return recorded[0]


def _with_window(query: str, window: Window) -> GraphqlRequest:
    return GraphqlRequest(query, {"duration": duration_variable(window)}, window)


def _part(chunk: Chunk) -> str:
    return f"{chunk.start.isoformat()}/{chunk.end.isoformat()}"


def _format(window: Window) -> str:
    return f"{window.start.astimezone(UTC).isoformat()}/{window.end.astimezone(UTC).isoformat()}"
