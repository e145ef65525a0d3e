"""Reads of one OAP whose responses are kept on disk, and the failure that ended them."""

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import UTC
from typing import Any

from skywalking_provider.errors import BackendUnavailableError
from skywalking_provider.model import Window
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.tools.backtest.chunk_cache import ChunkCache
from skywalking_provider.tools.backtest.history import Chunk, History
from skywalking_provider.tools.backtest.live_reads import LiveReads


class CachedReads:
    """Reads of one OAP for the minutes of a history, and their responses on disk.

    Args:
        live: Reads of the OAP.
        cache: Responses on disk.
        history: Minutes that are replayed.

    Attributes:
        failure: Error of a read that ended the backtest: the OAP is unavailable; None without one.
    """

    def __init__(self, live: LiveReads, cache: ChunkCache, history: History) -> None:
        self.live = live
        self.history = history
        self.failure: BackendUnavailableError | OSError | None = None
        self._cache = cache

    async def guard(self, read: Awaitable[Any]) -> Any:
        """Return the result of a read, and keep the error of an OAP that is unavailable: nothing is known then."""
        try:
            return await read
        except BackendUnavailableError as error:
            self.failure = self.failure or error
            raise

    async def gather(self, reads: Iterable[Awaitable[Any]]) -> list[Any]:
        """Return the results of reads. The first error cancels the others."""
        tasks = [asyncio.ensure_future(read) for read in reads]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def load(self, key: str, minutes: Chunk | Window) -> Any:
        """Return the response on disk; None without one."""
        return self._cache.load(key, _format(minutes))

    def save(self, key: str, minutes: Chunk | Window, content: Any) -> None:
        """Keep a response on disk."""
        try:
            self._cache.save(key, _format(minutes), content)
        except OSError as error:
            self.failure = self.failure or error


def with_window(query: str, window: Window) -> GraphqlRequest:
    """Return the request of an author's query in a window."""
    return GraphqlRequest(query, {"duration": duration_variable(window)}, window)


def _format(minutes: Chunk | Window) -> str:
    return f"{minutes.start.astimezone(UTC).isoformat()}/{minutes.end.astimezone(UTC).isoformat()}"
