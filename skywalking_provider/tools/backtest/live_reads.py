"""Reads of an OAP server for the backtest: few at a time, repeated after an outage, and counted for the progress."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from skywalking_provider.errors import BackendUnavailableError
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.metric_values import EXPRESSION_SELECTION, encode_entity
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.tools.backtest.history import MINUTE, Chunk, History
from skywalking_provider.tools.backtest.series_key import SeriesKey

T = TypeVar("T")

_TIMEOUT_SECONDS: Final = 60.0
_PAUSES_SECONDS: Final = (1.0, 3.0, 10.0)
_HOUR: Final = 60 * MINUTE


@dataclass(slots=True)
class ReadProgress:
    """Numbers of reads: those that are known to be needed, and those that are complete.

    Attributes:
        needed: Reads that are needed, those from the cache included.
        complete: Reads that are complete.
        sent: Reads that were sent to the OAP.
        changed: Function that is called after each change.
    """

    needed: int = 0
    complete: int = 0
    sent: int = 0
    changed: Callable[[], None] = lambda: None

    def add_needed(self, count: int) -> None:
        """Add reads that are needed."""
        self.needed += count
        self.changed()

    def add_complete(self) -> None:
        """Count a read that is complete."""
        self.complete += 1
        self.changed()


class LiveReads:
    """Reads of one backend.

    Args:
        backend: Backend to read.
        max_requests: Reads at a time.
        mqe: Whether the OAP supports expressions.
        progress: Counts the reads.
    """

    def __init__(self, backend: Backend, max_requests: int, progress: ReadProgress, *, mqe: bool) -> None:
        self.mqe = mqe
        self.progress = progress
        self._backend = backend
        self._slots = asyncio.Semaphore(max_requests)

    async def series(self, keys: Sequence[SeriesKey], chunk: Chunk, history: History) -> dict[SeriesKey, Any]:
        """Return the fields of series in a chunk."""
        requests = [key.to_request(f"s{at}") for at, key in enumerate(keys)]
        batch = await self._repeat(
            lambda deadline: self._backend.series(requests, chunk.window(history.zone), deadline, mqe=self.mqe)
        )
        return {key: batch.data[request.alias] for key, request in zip(keys, requests, strict=True)}

    async def windows(self, key: SeriesKey, windows: Sequence[Window]) -> dict[Window, Any]:
        """Return the fields of an expression in several windows, read by one request."""
        variables: dict[str, object] = {"e": key.expression, "entity": encode_entity(key.entity)}
        fields = []
        for at, window in enumerate(windows):
            variables[f"d{at}"] = duration_variable(window)
            fields.append(
                f"w{at}: execExpression(expression: $e, entity: $entity, duration: $d{at}) {EXPRESSION_SELECTION}"
            )
        declared = ", ".join(f"$d{at}: Duration!" for at in range(len(windows)))
        query = f"query read($e: String!, $entity: Entity!, {declared}) {{ {' '.join(fields)} }}"
        data = await self.data(GraphqlRequest(query, variables))
        return {window: data[f"w{at}"] for at, window in enumerate(windows)}

    async def instances(self, service_id: str, chunk: Chunk, history: History) -> dict[str, Any]:
        """Return the instances of a service in each hour of a chunk, by the start of the hour."""
        hours = [chunk.start + at * _HOUR for at in range(-(-chunk.minutes // 60))]
        variables: dict[str, object] = {"service": service_id}
        fields = []
        for at, hour in enumerate(hours):
            end = min(hour + _HOUR, chunk.end)
            variables[f"d{at}"] = duration_variable(Window(hour.astimezone(history.zone), end.astimezone(history.zone)))
            fields.append(
                f"h{at}: listInstances(serviceId: $service, duration: $d{at}) {{ name attributes {{ name value }} }}"
            )
        declared = ", ".join(f"$d{at}: Duration!" for at in range(len(hours)))
        data = await self.data(
            GraphqlRequest(f"query list($service: ID!, {declared}) {{ {' '.join(fields)} }}", variables)
        )
        return {hour.isoformat(): data[f"h{at}"] for at, hour in enumerate(hours)}

    def data(self, request: GraphqlRequest) -> Awaitable[dict[str, Any]]:
        """Return the data of one request."""
        return self._repeat(lambda deadline: self._backend.read(request, deadline))

    async def _repeat(self, read: Callable[[Deadline], Awaitable[T]]) -> T:
        """Read within the limit of requests; repeat after a pause if the OAP is unavailable."""
        async with self._slot():
            for pause in _PAUSES_SECONDS:
                try:
                    return await read(Deadline.after(_TIMEOUT_SECONDS, time.monotonic))
                except BackendUnavailableError:
                    await asyncio.sleep(pause)
            return await read(Deadline.after(_TIMEOUT_SECONDS, time.monotonic))

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        async with self._slots:
            self.progress.sent += 1
            yield
