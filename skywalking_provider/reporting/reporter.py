"""Reporter of one backend: queues the events of measurements, and sends them in the background."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError
from skywalking_provider.oap.observer import EventOutcome, Observer
from skywalking_provider.oap.transport.event_sender import EventSender
from skywalking_provider.reporting.event import SkyWalkingEvent, build_events
from skywalking_provider.reporting.queue import EventQueue

BATCH_EVENTS: Final = 50
"""Events of one request: 300 KB at most."""
MAX_ATTEMPTS: Final = 5
"""Attempts for a batch that the OAP responds to with an error: the batch itself may be its cause."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0

FindLayer = Callable[[str, str], Awaitable[str]]
"""Returns the layer of a service, read for a namespace; empty if the OAP does not list the service.

It raises `BackendUnavailableError` if the OAP does not respond.
"""

_log = structlog.get_logger()


class EventReporter:
    """Reports the measurements of one backend. `report` returns at once; one task sends.

    A batch without a usable response is sent again, after a pause that doubles. Events that the queue has no place
    for are dropped. So are those of a batch that the OAP answered with an error MAX_ATTEMPTS times.

    Args:
        backend: Name of the backend.
        sender: Sends a batch.
        find_layer: Returns the layer of a service whose measurement does not know it.
        observer: Receives how events end.
        timeout: Seconds for one request.
        max_instances: Number of instances of one measurement that get an event each.
        redact: Redacts the backend's credentials from a text.
        queue: Queue of the events.
    """

    def __init__(
        self,
        backend: str,
        sender: EventSender,
        find_layer: FindLayer,
        observer: Observer,
        *,
        timeout: float,
        max_instances: int,
        redact: Callable[[str], str] = str,
        queue: EventQueue | None = None,
    ) -> None:
        self._backend = backend
        self._sender = sender
        self._find_layer = find_layer
        self._observer = observer
        self._timeout = timeout
        self._max_instances = max_instances
        self._redact = redact
        self._queue = EventQueue() if queue is None else queue
        # State: a signal that something is queued, one that the service stops, the batch in progress, the last logged
        # problem, and whether the log has a warning of the full queue.
        self._queued = asyncio.Event()
        self._stopping = asyncio.Event()
        self._batch: Sequence[SkyWalkingEvent] = ()
        self._problem = ""
        self._overflowing = False
        self._task: asyncio.Task[None] | None = None

    def report(self, event: MeasurementEvent) -> None:
        """Queue the events of a measurement of this backend."""
        for one in build_events(event, self._max_instances, self._redact):
            if self._queue.put(one):
                self._queued.set()
            else:
                self._count(EventOutcome.QUEUE_FULL)
                if not self._overflowing:
                    self._overflowing = True
                    _log.warning("events for SkyWalking dropped", backend=self._backend, reason="the queue is full")

    def start(self) -> None:
        """Start the task that sends."""
        self._task = asyncio.create_task(self._run())

    async def flush(self, seconds: float) -> None:
        """Send what is queued within some seconds, with one attempt from now on for each event."""
        self._stopping.set()
        self._queued.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)

    async def close(self) -> None:
        """End the task and the connections. Events that are left are dropped and counted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if left := len(self._batch) + len(self._queue):
            self._count(EventOutcome.STOPPED, left)
            _log.warning("events for SkyWalking dropped at the stop", backend=self._backend, events=left)
        await self._sender.close()

    async def _run(self) -> None:
        while True:
            while not len(self._queue):
                if self._stopping.is_set():
                    return
                self._queued.clear()
                await self._queued.wait()
            self._batch = self._queue.take(BATCH_EVENTS)
            await self._deliver()
            self._batch = ()

    async def _deliver(self) -> None:
        """Send the batch; try again until it is sent, rejected or has caused too many errors."""
        pause, errors = _FIRST_PAUSE_SECONDS, 0
        while True:
            is_last = self._stopping.is_set()
            try:
                await self._send()
            except BackendUnavailableError as error:
                self._report_problem(str(error))
                errors += error.kind is FailureKind.SERVER_ERROR
                if errors == MAX_ATTEMPTS or is_last:
                    self._count(EventOutcome.UNAVAILABLE, len(self._batch))
                    return
            except ProviderError as error:
                self._report_problem(str(error))
                self._count(EventOutcome.REJECTED, len(self._batch))
                return
            except Exception:  # noqa: BLE001 - a bug must not end the task, whose queue would fill up
                _log.exception("events for SkyWalking not sent", backend=self._backend)
                self._count(EventOutcome.REJECTED, len(self._batch))
                return
            else:
                return
            await self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _send(self) -> None:
        self._batch = await self._with_layers(self._batch)
        if not self._batch:
            return
        await self._sender.send([one.to_json() for one in self._batch], self._timeout)
        self._count(EventOutcome.SENT, len(self._batch))
        self._overflowing = False
        if self._problem:
            self._problem = ""
            _log.info("events for SkyWalking accepted again", backend=self._backend)

    async def _with_layers(self, events: Sequence[SkyWalkingEvent]) -> list[SkyWalkingEvent]:
        """Return the events with their layers, without those of services that the OAP does not list."""
        layers = [one.layer or await self._find_layer(one.namespace, one.entity.service) for one in events]
        complete = [replace(event, layer=layer) for event, layer in zip(events, layers, strict=True) if layer]
        if len(complete) < len(events):
            self._count(EventOutcome.NO_SERVICE, len(events) - len(complete))
        return complete

    async def _pause(self, seconds: float) -> None:
        """Wait, at most until the service stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _count(self, outcome: EventOutcome, count: int = 1) -> None:
        self._observer.events_done(self._backend, outcome, count)

    def _report_problem(self, problem: str) -> None:
        """Log a problem, unless it is the one that was logged last, until events are accepted again."""
        if problem != self._problem:
            _log.warning("events for SkyWalking not accepted", backend=self._backend, reason=problem)
        self._problem = problem
