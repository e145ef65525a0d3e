"""Reads the series of one measurement as aliases of few requests; one that OAP refuses is parted until it is accepted.

A field of GraphQL that throws takes the whole answer with it. Series of different measurements never share a request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Window
from skywalking_provider.oap.api.batch_limits import BatchLimits, chunks, max_batch_size, tightened_limits
from skywalking_provider.oap.api.metric_values import SeriesRequest, build_request
from skywalking_provider.oap.api.request import GraphqlRequest

_SPLIT_ON = (Reason.QUERY_INVALID, Reason.OAP_RESPONSE_INVALID)  # may be the fault of one alias, or of their number

_MAX_PARALLEL = (
    2  # of one measurement's requests: an OAP answers the fields of all with as many threads as it has cores
)

ExecuteRequest = Callable[[GraphqlRequest], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came back.

    Attributes:
        data: The fields by alias.
        requests: The requests that were answered.
    """

    data: dict[str, Any]
    requests: tuple[GraphqlRequest, ...]


class BatchReader:
    """Reads series of one OAP, and learns how many it takes at once.

    Args:
        max_answer_bytes: Of one answer.
    """

    def __init__(self, max_answer_bytes: int) -> None:
        # The state: what a request may have, smaller than what is usual once the OAP refused that.
        self._limits = BatchLimits(points=max_answer_bytes // 64)  # a bucket with its id and value has some 45 bytes

    async def read(
        self, series_requests: Sequence[SeriesRequest], window: Window, execute: ExecuteRequest, *, mqe: bool
    ) -> BatchResult:
        """All series.

        Args:
            series_requests: With aliases that differ.
            window: The same for all.
            execute: Asks one request, by the measurement's deadline.
            mqe: Whether the OAP understands expressions.

        Raises:
            BackendAway: As `ask`.
            ProviderError: As `ask`; where it is the fault of one series, the error names it.
        """
        parts = chunks(series_requests, max_batch_size(series_requests, window, self._limits, mqe=mqe))
        if len(parts) == 1:
            return await self._read_chunk(parts[0], window, execute, mqe=mqe)
        few = asyncio.Semaphore(_MAX_PARALLEL)

        async def in_turn(part: Sequence[SeriesRequest]) -> BatchResult:
            async with few:
                return await self._read_chunk(part, window, execute, mqe=mqe)

        tasks = [asyncio.create_task(in_turn(part)) for part in parts]
        try:
            return _merge_results(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _read_chunk(
        self, series_requests: Sequence[SeriesRequest], window: Window, execute: ExecuteRequest, *, mqe: bool
    ) -> BatchResult:
        read = build_request(series_requests, window, mqe=mqe)
        try:
            return BatchResult(await execute(read), (read,))
        except ProviderError as error:
            if len(series_requests) == 1 or error.reason not in _SPLIT_ON:
                raise
            self._limits = tightened_limits(self._limits, error.rejection, len(series_requests), mqe=mqe)
        if max_batch_size(series_requests, window, self._limits, mqe=mqe) < len(series_requests):
            return await self.read(series_requests, window, execute, mqe=mqe)
        return await self._bisect(series_requests, window, execute, mqe=mqe)

    async def _bisect(
        self, series_requests: Sequence[SeriesRequest], window: Window, execute: ExecuteRequest, *, mqe: bool
    ) -> BatchResult:
        """One after the other: the first error of a single series ends it, and all may have the same."""
        found = []
        for half in chunks(series_requests, -(-len(series_requests) // 2)):
            try:
                found.append(await self._read_chunk(half, window, execute, mqe=mqe))
            except ProviderError as error:
                if len(half) > 1 or error.reason not in _SPLIT_ON:
                    raise
                named = f"{half[0].expression} of {half[0].entity.name}: {error.message}"
                raise ProviderError(error.reason, named, error.hint, rejection=error.rejection) from error
        return _merge_results(found)


def _merge_results(results: Sequence[BatchResult]) -> BatchResult:
    data: dict[str, Any] = {}
    for one in results:
        data |= one.data
    return BatchResult(data, tuple(read for one in results for read in one.requests))
