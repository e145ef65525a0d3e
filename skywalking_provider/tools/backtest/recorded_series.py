"""Recorded series in chunks of six hours, from which windows are cut."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from skywalking_provider.errors import BackendUnavailableError, ProviderError
from skywalking_provider.tools.backtest.cached_reads import CachedReads
from skywalking_provider.tools.backtest.history import Chunk, ChunkPart
from skywalking_provider.tools.backtest.recorded_lists import RecordedLists
from skywalking_provider.tools.backtest.series_key import SeriesKey
from skywalking_provider.tools.backtest.slicing import cut, cut_expression, join, join_expressions

_TIME_SERIES: Final = "TIME_SERIES_VALUES"


class RecordedSeries:
    """Series of the history by chunk, read as wholes when they are first needed.

    Args:
        reads: Reads of the OAP.
        lists: Lists of instances: a chunk that does not list an instance is not read for it.
    """

    def __init__(self, reads: CachedReads, lists: RecordedLists) -> None:
        self._reads = reads
        self._lists = lists
        self._mqe = reads.live.mqe
        self._fields: dict[tuple[SeriesKey, datetime], Any] = {}
        self._errors: dict[tuple[SeriesKey, datetime], ProviderError] = {}

    @property
    def fields(self) -> Mapping[tuple[SeriesKey, datetime], Any]:
        """Recorded fields by series and start of the chunk."""
        return self._fields

    async def record(self, keys: Sequence[SeriesKey], parts: Sequence[ChunkPart]) -> None:
        """Record series for the whole history.

        Raises:
            ProviderError: The OAP rejected a chunk; at every measurement that needs it.
        """
        self._raise_error(keys, parts)
        missing = [key for key in keys if any(self._needs(key, chunk) for chunk, _, _ in parts)]
        if not missing:
            return
        history = self._reads.history
        chunks = sorted({*history.chunks, *(chunk for chunk, _, _ in parts)}, key=lambda one: one.start)
        needed_by_chunk = [
            (one, needed) for one in chunks if (needed := [key for key in missing if self._needs(key, one)])
        ]
        self._reads.live.progress.add_needed(len(needed_by_chunk))
        await self._reads.gather(self._record_chunk(chunk, needed) for chunk, needed in needed_by_chunk)
        self._raise_error(keys, parts)

    def cut(self, key: SeriesKey, parts: Sequence[ChunkPart]) -> Any:
        """Return the field of a recorded series in parts of chunks; None if it cannot be cut from them."""
        fields = [(self._fields.get((key, chunk.start)), chunk, first, last) for chunk, first, last in parts]
        if not self._mqe:
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

    def _raise_error(self, keys: Sequence[SeriesKey], parts: Sequence[ChunkPart]) -> None:
        for key in keys:
            for chunk, _, _ in parts:
                if error := self._errors.get((key, chunk.start)):
                    raise error

    def _needs(self, key: SeriesKey, chunk: Chunk) -> bool:
        """Return whether a series must be read in a chunk."""
        if (key, chunk.start) in self._fields:
            return False
        return not self._mqe or self._lists.may_have(key.entity, chunk)

    async def _record_chunk(self, chunk: Chunk, keys: Sequence[SeriesKey]) -> None:
        reads = self._reads
        missing = []
        for key in keys:
            stored = reads.load(self._text(key), chunk)
            if stored is None:
                missing.append(key)
            else:
                self._fields[key, chunk.start] = stored
        if missing:
            try:
                fields = await reads.guard(reads.live.series(missing, chunk, reads.history))
            except BackendUnavailableError:
                raise
            except ProviderError as error:
                self._errors |= {(key, chunk.start): error for key in missing}
                return
            for key, field in fields.items():
                self._fields[key, chunk.start] = field
                reads.save(self._text(key), chunk, field)
        reads.live.progress.add_complete()

    def _text(self, key: SeriesKey) -> str:
        return f"series {self._mqe} {key.text}"
