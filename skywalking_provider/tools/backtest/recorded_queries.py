"""Recorded author's queries in chunks of six hours, from which windows are cut."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from skywalking_provider.errors import BackendUnavailableError, ProviderError
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.tools.backtest.cached_reads import CachedReads, with_window
from skywalking_provider.tools.backtest.history import Chunk, ChunkPart
from skywalking_provider.tools.backtest.slicing import UnslicableError, cut, join


class RecordedQueries:
    """Responses to queries that read buckets, by chunk.

    Args:
        reads: Reads of the OAP.
    """

    def __init__(self, reads: CachedReads) -> None:
        self._reads = reads
        self._responses: dict[tuple[str, datetime], Any] = {}
        self._errors: dict[tuple[str, datetime], ProviderError] = {}

    @property
    def responses(self) -> Mapping[tuple[str, datetime], Any]:
        """Recorded responses by text and start of the chunk."""
        return self._responses

    async def read(self, request: GraphqlRequest, parts: Sequence[ChunkPart]) -> dict[str, Any] | None:
        """Return the response to a query in parts of chunks; None if it cannot be cut from them.

        Raises:
            ProviderError: The OAP rejected a chunk.
        """
        await self._record(request, parts)
        pieces = [
            cut(self._responses[request.query, chunk.start], first, last, chunk.minutes) for chunk, first, last in parts
        ]
        try:
            joined = pieces[0] if pieces else {}
            for piece in pieces[1:]:
                joined = join(joined, piece)
        except UnslicableError:
            return None
        return dict(joined)

    async def _record(self, request: GraphqlRequest, parts: Sequence[ChunkPart]) -> None:
        text = request.query
        self._raise_error(text, parts)
        if all((text, chunk.start) in self._responses for chunk, _, _ in parts):
            return
        chunks = [
            one
            for one in {*self._reads.history.chunks, *(part[0] for part in parts)}
            if (text, one.start) not in self._responses
        ]
        self._reads.live.progress.add_needed(len(chunks))
        await self._reads.gather(self._record_chunk(request, one) for one in chunks)
        self._raise_error(text, parts)

    def _raise_error(self, text: str, parts: Sequence[ChunkPart]) -> None:
        for chunk, _, _ in parts:
            if error := self._errors.get((text, chunk.start)):
                raise error

    async def _record_chunk(self, request: GraphqlRequest, chunk: Chunk) -> None:
        reads, key = self._reads, f"query {request.query}"
        data = reads.load(key, chunk)
        if data is None:
            window = chunk.window(reads.history.zone)
            try:
                data = await reads.guard(reads.live.data(with_window(request.query, window)))
            except BackendUnavailableError:
                raise
            except ProviderError as error:
                self._errors[request.query, chunk.start] = error
                return
            reads.save(key, chunk, data)
        self._responses[request.query, chunk.start] = data
        reads.live.progress.add_complete()
