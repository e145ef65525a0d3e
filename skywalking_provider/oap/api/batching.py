"""Batching: the series of one measurement as aliases of few requests, within the limits of the OAP.

A GraphQL field that fails discards the whole response. A batch that OAP rejects is therefore bisected until the failing
series is found. Series of different measurements never share a request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from skywalking_provider.errors import ProviderError, Reason, Rejection, RejectionKind
from skywalking_provider.model import Window
from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.oap.api.metric_values import SeriesRequest, build_request
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.response_data import response_size

# Fields and tokens of one series, tokens of the operation around all, fields and tokens of one list of instances.
_MQE_FIELDS: Final = 11
_MQE_TOKENS: Final = 48
_V2_FIELDS: Final = 6
_V2_TOKENS: Final = 40
_HEAD_TOKENS: Final = 16
_LIST_FIELDS: Final = 5  # of a list of instances
_LIST_TOKENS: Final = 32
_LABELS: Final = 5  # the percentiles of one metric

_BYTES_PER_POINT: Final = 64  # a bucket with its id and value has about 45
_SPLIT_ON: Final = (
    Reason.QUERY_INVALID,
    Reason.OAP_RESPONSE_INVALID,
)  # may be caused by one series, or by their number
_MAX_PARALLEL: Final = 2  # requests of one measurement; an OAP resolves the fields of all with one thread per core

ExecuteRequest = Callable[[GraphqlRequest], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits of one request.

    Attributes:
        fields: Number of selected fields: OAP's maxQueryComplexity, 1,000 from 9.1 to 9.5 and 3,000 since.
        tokens: Number of tokens of the text: the limit of graphql-java.
        points: Number of buckets of all series in the response, so that it stays below maxAnswerBytes.
    """

    fields: int = 1_000
    tokens: int = 15_000
    points: int = 65_536


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Response of a batch.

    Attributes:
        data: Fields by alias.
        requests: Requests that succeeded.
        size: Number of characters of their responses.
    """

    data: dict[str, Any]
    requests: tuple[GraphqlRequest, ...]
    size: int = 0


class BatchReader:
    """Reads series of one OAP, and tightens its limits after a rejection.

    Args:
        max_answer_bytes: Maximum size of one response.
    """

    def __init__(self, max_answer_bytes: int) -> None:
        # State: the limits, below the defaults once the OAP rejected a batch.
        self._limits = BatchLimits(points=max_answer_bytes // _BYTES_PER_POINT)

    async def read(
        self, series_requests: Sequence[SeriesRequest], window: Window, execute: ExecuteRequest, *, mqe: bool
    ) -> BatchResult:
        """Return the data of all series.

        Args:
            series_requests: Series with different aliases.
            window: Window of all series.
            execute: Sends one request, within the deadline of the measurement.
            mqe: Whether the OAP supports expressions.

        Raises:
            BackendUnavailableError: As `execute`.
            ProviderError: As `execute`; if one series is the cause, the message names it.
        """
        batches = split_evenly(series_requests, max_batch_size(series_requests, window, self._limits, mqe=mqe))
        if len(batches) == 1:
            return await self._read_batch(batches[0], window, execute, mqe=mqe)
        parallel = asyncio.Semaphore(_MAX_PARALLEL)

        async def read_with_limit(batch: Sequence[SeriesRequest]) -> BatchResult:
            async with parallel:
                return await self._read_batch(batch, window, execute, mqe=mqe)

        tasks = [asyncio.create_task(read_with_limit(batch)) for batch in batches]
        try:
            return _merge_results(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def read_with_instances(
        self,
        series_requests: Sequence[SeriesRequest],
        instances_of: Mapping[str, InventoryService],
        list_characters: int,
        window: Window,
        execute: ExecuteRequest,
        *,
        mqe: bool,
    ) -> BatchResult | None:
        """Return the data of all series and of lists of instances from one request; None if its limits forbid that.

        Args:
            series_requests: Series with different aliases.
            instances_of: Services whose instances are listed, by the alias of the list.
            list_characters: Expected size of the lists in the response.
            window: Window of all series and lists.
            execute: Sends one request, within the deadline of the measurement.
            mqe: Whether the OAP supports expressions.

        Raises:
            BackendUnavailableError: As `execute`.
            ProviderError: As `execute`; the request is not split.
        """
        limits = reserve_lists(self._limits, len(instances_of), list_characters)
        if _capacity(series_requests, window, limits, mqe=mqe) < len(series_requests):
            return None
        request = build_request(series_requests, window, mqe=mqe, instances_of=instances_of)
        try:
            data = await execute(request)
        except ProviderError as error:
            self._limits = tightened_limits(self._limits, error.rejection, len(series_requests), mqe=mqe)
            raise
        return BatchResult(data, (request,), response_size(data))

    def capacity(self, series_requests: Sequence[SeriesRequest], window: Window, *, mqe: bool) -> int:
        """Return how many series like these fit into one request."""
        return max_batch_size(series_requests, window, self._limits, mqe=mqe)

    async def _read_batch(
        self, series_requests: Sequence[SeriesRequest], window: Window, execute: ExecuteRequest, *, mqe: bool
    ) -> BatchResult:
        request = build_request(series_requests, window, mqe=mqe)
        try:
            data = await execute(request)
        except ProviderError as error:
            if len(series_requests) == 1 or error.reason not in _SPLIT_ON:
                raise
            self._limits = tightened_limits(self._limits, error.rejection, len(series_requests), mqe=mqe)
        else:
            return BatchResult(data, (request,), response_size(data))
        if max_batch_size(series_requests, window, self._limits, mqe=mqe) < len(series_requests):
            return await self.read(series_requests, window, execute, mqe=mqe)
        return await self._bisect(series_requests, window, execute, mqe=mqe)

    async def _bisect(
        self, series_requests: Sequence[SeriesRequest], window: Window, execute: ExecuteRequest, *, mqe: bool
    ) -> BatchResult:
        """Read the halves one after the other: the first failing series ends it, and all may fail alike."""
        results = []
        for half in split_evenly(series_requests, -(-len(series_requests) // 2)):
            try:
                results.append(await self._read_batch(half, window, execute, mqe=mqe))
            except ProviderError as error:
                if len(half) > 1 or error.reason not in _SPLIT_ON:
                    raise
                message = f"{half[0].expression} of {half[0].entity.name}: {error.message}"
                raise ProviderError(error.reason, message, error.hint, rejection=error.rejection) from error
        return _merge_results(results)


def max_batch_size(series_requests: Sequence[SeriesRequest], window: Window, limits: BatchLimits, *, mqe: bool) -> int:
    """Return how many of these series one request may have; at least one."""
    return max(1, _capacity(series_requests, window, limits, mqe=mqe))


def count_points(series_requests: Sequence[SeriesRequest], window: Window) -> int:
    """Return the number of buckets in the response to series."""
    return max(1, window.buckets) * sum(_LABELS if one.labeled else 1 for one in series_requests)


def reserve_lists(limits: BatchLimits, count: int, characters: int) -> BatchLimits:
    """Return the limits of the series in a request that has lists of instances, too.

    Args:
        limits: Limits of the request.
        count: Number of lists.
        characters: Size of the lists in the response.
    """
    return BatchLimits(
        limits.fields - count * _LIST_FIELDS,
        limits.tokens - count * _LIST_TOKENS,
        limits.points - -(-characters // _BYTES_PER_POINT),
    )


def split_evenly(series_requests: Sequence[SeriesRequest], max_size: int) -> list[Sequence[SeriesRequest]]:
    """Split into as few batches as possible of at most `max_size` series, in order and of almost equal size."""
    count = -(-len(series_requests) // max_size)
    borders = [-(-len(series_requests) * at // count) for at in range(count + 1)]
    return [series_requests[start:end] for start, end in pairwise(borders)]


def tightened_limits(limits: BatchLimits, rejection: Rejection | None, batch_size: int, *, mqe: bool) -> BatchLimits:
    """Return the limits after OAP rejected a batch; the same ones if its size was not the cause.

    Args:
        limits: Limits so far.
        rejection: Cause of the rejection.
        batch_size: Number of series in the batch.
        mqe: Whether the series were expressions.
    """
    match rejection:
        case Rejection(RejectionKind.COMPLEXITY, int(limit)):
            return replace(limits, fields=min(limits.fields, limit))
        case Rejection(RejectionKind.TOKENS):
            tokens = _MQE_TOKENS if mqe else _V2_TOKENS
            return replace(limits, tokens=min(limits.tokens, _HEAD_TOKENS + batch_size * tokens // 2))
    return limits


def _merge_results(results: Sequence[BatchResult]) -> BatchResult:
    data: dict[str, Any] = {}
    for one in results:
        data |= one.data
    requests = tuple(request for one in results for request in one.requests)
    return BatchResult(data, requests, sum(one.size for one in results))


def _capacity(series_requests: Sequence[SeriesRequest], window: Window, limits: BatchLimits, *, mqe: bool) -> int:
    """Return how many of these series are within the limits; below one if none is."""
    fields, tokens = (_MQE_FIELDS, _MQE_TOKENS) if mqe else (_V2_FIELDS, _V2_TOKENS)
    points = max(count_points((one,), window) for one in series_requests)
    return min(limits.fields // fields, (limits.tokens - _HEAD_TOKENS) // tokens, limits.points // points)
