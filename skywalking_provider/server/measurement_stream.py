"""Measurements over one stream: a message for each instead of a call, which costs gRPC several times as much."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc.aio
import structlog

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb

MAX_STREAMS: Final = 16
"""Streams open at once. A controller's bridge opens one."""
MAX_IN_PROGRESS: Final = 5120
"""Requests of a stream in progress. `Admission` admits fewer, so that the excess is rejected with a reason. Further
requests wait at the caller, by the flow control of HTTP/2."""
MAX_WRITE_WAIT_SECONDS: Final = 15.0
"""Time that a response waits for earlier ones, whose caller does not read them. Its own caller has given up by then."""
MAX_RESPONSE_BYTES: Final = 64 * 1024
"""Bytes of a response. A larger one would delay the others of its stream, so that the caller makes a call for it."""

_log = structlog.get_logger()

_Context = grpc.aio.ServicerContext[Any, Any]
Measure = Callable[[pb.MeasureRequest], Awaitable[pb.Measurement]]
"""Returns the measurement of a request within its deadline."""


class MeasurementStreams:
    """The open streams.

    Args:
        max_streams: Number of streams. Beyond it, a caller makes a call for each measurement.
        max_in_progress: Number of requests in progress in each.
        max_write_wait: Seconds that a response waits for earlier ones of its stream. It is then dropped.
    """

    def __init__(
        self,
        max_streams: int = MAX_STREAMS,
        max_in_progress: int = MAX_IN_PROGRESS,
        max_write_wait: float = MAX_WRITE_WAIT_SECONDS,
    ) -> None:
        self._max_streams = max_streams
        self._max_in_progress = max_in_progress
        self._max_write_wait = max_write_wait
        # State: the tasks that read, by open stream, and whether the service stops.
        self._readers: dict[_Context, asyncio.Task[None]] = {}
        self._closed = False

    async def serve(self, context: _Context, measure: Measure) -> None:
        """Respond to the requests of a stream until its caller, or `close`, ends it."""
        if self._closed or len(self._readers) >= self._max_streams:
            await context.abort(
                grpc.StatusCode.UNAVAILABLE,
                f"stream rejected: {self._max_streams} are open, or the service stops. Use Run and Resume.",
            )
        try:
            async with asyncio.TaskGroup() as tasks:
                stream = _Stream(context, measure, tasks, self._max_in_progress, self._max_write_wait)
                self._readers[context] = tasks.create_task(stream.read())
        finally:
            self._readers.pop(context, None)

    def close(self) -> None:
        """Read no more requests. A stream ends after the responses to those that were read."""
        self._closed = True
        for reader in self._readers.values():
            reader.cancel()


class _Stream:
    """One stream. Each request has a task of its own."""

    def __init__(
        self,
        context: _Context,
        measure: Measure,
        tasks: asyncio.TaskGroup,
        max_in_progress: int,
        max_write_wait: float,
    ) -> None:
        self._context = context
        self._measure = measure
        self._tasks = tasks
        self._slots = asyncio.Semaphore(max_in_progress)
        self._max_write_wait = max_write_wait
        self._writing = asyncio.Lock()  # gRPC writes one message at a time

    async def read(self) -> None:
        """Start a task for each request until the caller ends the stream."""
        while True:
            await self._slots.acquire()
            request = await self._context.read()
            if request is grpc.aio.EOF:
                return
            self._tasks.create_task(self._respond(request))

    async def _respond(self, request: pb.MeasureRequest) -> None:
        try:
            response = await self._build_response(request)
            del request  # the caller may read its responses slowly
            # No timer for a free lock: it takes 7 µs.
            async with asyncio.timeout(self._max_write_wait if self._writing.locked() else None):
                await self._writing.acquire()
            try:
                await self._context.write(response)
            finally:
                self._writing.release()
        except (grpc.aio.BaseError, TimeoutError):
            _log.debug("response of a stream not sent: its caller has ended it, or does not read")
        finally:
            self._slots.release()

    async def _build_response(self, request: pb.MeasureRequest) -> pb.MeasureResponse:
        """Return the response to a request; one without a measurement if only a call can return it."""
        try:
            measurement = await self._measure(request)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Only a shared task that this measurement waited for was cancelled.
            return pb.MeasureResponse(id=request.id)
        except Exception:  # noqa: BLE001 - a bug in one measurement must not end the others of its stream
            _log.exception("measurement of a stream failed")
            return pb.MeasureResponse(id=request.id)
        if measurement.ByteSize() > MAX_RESPONSE_BYTES:
            return pb.MeasureResponse(id=request.id)
        return pb.MeasureResponse(id=request.id, measurement=measurement)
