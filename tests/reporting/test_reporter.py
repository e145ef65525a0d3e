"""Reporter of one backend: nothing waits for it, its memory is bounded, and each event ends with one outcome."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from structlog.testing import capture_logs

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.model import Entity, EntitySet, Phase
from skywalking_provider.oap.observer import EventOutcome
from skywalking_provider.reporting.queue import EventQueue
from skywalking_provider.reporting.reporter import BATCH_EVENTS, MAX_ATTEMPTS, EventReporter
from tests.oap.virtual_time import in_virtual_time, monotonic
from tests.reporting.harness import EventCounter, ScriptedSender, build_event

UNREACHABLE = BackendUnavailableError("no connection", kind=FailureKind.CONNECT)
SERVER_ERROR = BackendUnavailableError("500", kind=FailureKind.SERVER_ERROR)
REJECTED = ProviderError(Reason.OAP_REJECTED, "no event API", "Enable it")


class Layers:
    """Layers by service, as the OAP lists them."""

    def __init__(self, **layers: str) -> None:
        self.layers = layers
        self.failures: list[Exception] = []

    async def __call__(self, namespace: str, service: str) -> str:  # noqa: ARG002
        if self.failures:
            raise self.failures.pop(0)
        return self.layers.get(service, "")


@asynccontextmanager
async def running(
    sender: ScriptedSender, layers: Layers | None = None, max_events: int = 1000
) -> AsyncIterator[tuple[EventReporter, EventCounter]]:
    counter = EventCounter()
    reporter = EventReporter(
        "prod", sender, layers or Layers(), counter, timeout=5, max_instances=5, queue=EventQueue(max_events)
    )
    reporter.start()
    try:
        yield reporter, counter
    finally:
        await reporter.close()


async def settle(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, an hour of virtual time at most."""
    for _ in range(3600):
        if condition():
            return
        await asyncio.sleep(1)
    raise AssertionError("the condition does not hold")


@in_virtual_time
async def test_finished_measurements_are_sent_in_batches() -> None:
    sender = ScriptedSender()
    async with running(sender) as (reporter, counter):
        for number in range(BATCH_EVENTS + 1):
            reporter.report(build_event(metric=f"m{number}"))
        reporter.report(build_event(Phase.RUNNING, metric="pending"))
        await settle(lambda: counter.outcomes.total() == BATCH_EVENTS + 1)

    assert [len(batch) for batch in sender.batches] == [BATCH_EVENTS, 1]
    assert counter.outcomes == {EventOutcome.SENT: BATCH_EVENTS + 1}
    assert sender.closed


@in_virtual_time
async def test_measurement_reported_again_before_the_sending_is_one_event_with_the_last_state() -> None:
    sender = ScriptedSender()
    async with running(sender) as (reporter, counter):
        reporter.report(build_event(Phase.SUCCESSFUL))
        reporter.report(build_event(Phase.FAILED))
        await settle(lambda: counter.outcomes.total() == 1)

    assert [one["type"] for one in sender.batches[0]] == ["Error"]


@in_virtual_time
async def test_outage_keeps_the_events_and_logs_once_until_it_ends() -> None:
    sender = ScriptedSender(*[UNREACHABLE] * 40)
    with capture_logs() as logs:
        async with running(sender) as (reporter, counter):
            reporter.report(build_event())
            await settle(lambda: counter.outcomes.total() == 1)
            assert monotonic() > 15 * 60  # pauses grow to 30 s and no further
            assert monotonic() < 41 * 31

    assert counter.outcomes == {EventOutcome.SENT: 1}
    assert [one["event"] for one in logs] == [
        "events for SkyWalking not accepted",
        "events for SkyWalking accepted again",
    ]


@in_virtual_time
async def test_batch_that_the_oap_fails_on_is_dropped_after_some_attempts() -> None:
    sender = ScriptedSender(*[SERVER_ERROR] * MAX_ATTEMPTS)
    async with running(sender) as (reporter, counter):
        reporter.report(build_event(metric="first"))
        await settle(lambda: counter.outcomes.total() == 1)
        reporter.report(build_event(metric="second"))
        await settle(lambda: counter.outcomes.total() == 2)

    assert counter.outcomes == {EventOutcome.UNAVAILABLE: 1, EventOutcome.SENT: 1}
    assert len(sender.batches) == MAX_ATTEMPTS + 1


@in_virtual_time
async def test_rejected_batch_is_not_sent_again_and_the_next_one_is_sent() -> None:
    for error in (REJECTED, RuntimeError("a bug")):
        sender = ScriptedSender(error)
        async with running(sender) as (reporter, counter):
            reporter.report(build_event(metric="first"))
            await settle(lambda: counter.outcomes.total() == 1)
            reporter.report(build_event(metric="second"))
            await settle(lambda: counter.outcomes.total() == 2)

        assert counter.outcomes == {EventOutcome.REJECTED: 1, EventOutcome.SENT: 1}


@in_virtual_time
async def test_hanging_event_api_fills_a_bounded_queue_and_delays_no_measurement() -> None:
    hanging = asyncio.Event()
    sender = ScriptedSender(hanging)
    with capture_logs() as logs:
        await fill_queue_of_hanging_api(sender, hanging)

    assert [one["event"] for one in logs] == ["events for SkyWalking dropped"]


async def fill_queue_of_hanging_api(sender: ScriptedSender, hanging: asyncio.Event) -> None:
    async with running(sender, max_events=20) as (reporter, counter):
        reporter.report(build_event(metric="first"))
        await settle(lambda: len(sender.batches) == 1)
        at = monotonic()
        for number in range(1000):
            reporter.report(build_event(metric=f"m{number}"))
        assert monotonic() == at
        assert counter.outcomes == {EventOutcome.QUEUE_FULL: 990}
        hanging.set()
        await settle(lambda: counter.outcomes.total() == 1001)

    assert counter.outcomes[EventOutcome.SENT] == 11


@in_virtual_time
async def test_missing_layer_is_read_and_a_service_without_one_has_no_event() -> None:
    sender, layers = ScriptedSender(), Layers(known="MESH")
    layers.failures = [UNREACHABLE]
    async with running(sender, layers) as (reporter, counter):
        for name in ("known", "unknown"):
            reporter.report(build_event(metric=name, entities=EntitySet((Entity(name),))))
        await settle(lambda: counter.outcomes.total() == 2)

    assert [(one["source"]["service"], one["layer"]) for one in sender.batches[0]] == [("known", "MESH")]
    assert counter.outcomes == {EventOutcome.SENT: 1, EventOutcome.NO_SERVICE: 1}


@in_virtual_time
async def test_flush_sends_what_is_queued_once_each() -> None:
    sender = ScriptedSender(UNREACHABLE, UNREACHABLE)
    async with running(sender) as (reporter, counter):
        for number in range(2 * BATCH_EVENTS):
            reporter.report(build_event(metric=f"m{number}"))
        at = monotonic()
        await reporter.flush(10)
        assert monotonic() - at < 1

    assert [len(batch) for batch in sender.batches] == [BATCH_EVENTS] * 2
    assert counter.outcomes == {EventOutcome.UNAVAILABLE: 2 * BATCH_EVENTS}


@in_virtual_time
async def test_flush_ends_the_pause_of_an_outage_with_a_last_attempt() -> None:
    sender = ScriptedSender(UNREACHABLE)
    async with running(sender) as (reporter, counter):
        reporter.report(build_event())
        await settle(lambda: len(sender.batches) == 1)
        at = monotonic()
        await reporter.flush(10)
        assert monotonic() == at

    assert counter.outcomes == {EventOutcome.SENT: 1}


@in_virtual_time
async def test_attempt_that_fails_after_the_start_of_the_flush_is_not_the_last() -> None:
    began = asyncio.Event()

    class FailingLate(ScriptedSender):
        async def send(self, events: Sequence[dict[str, Any]], seconds: float) -> None:
            first = not self.batches
            await super().send(events, seconds)
            if first:
                await began.wait()
                raise UNREACHABLE

    sender = FailingLate()
    async with running(sender) as (reporter, counter):
        reporter.report(build_event())
        await settle(lambda: len(sender.batches) == 1)
        flush = asyncio.create_task(reporter.flush(10))
        await asyncio.sleep(1)
        began.set()
        await flush

    assert counter.outcomes == {EventOutcome.SENT: 1}


@in_virtual_time
async def test_flush_of_a_hanging_event_api_ends_in_time_and_the_rest_is_counted() -> None:
    sender = ScriptedSender(asyncio.Event())
    async with running(sender) as (reporter, counter):
        for number in range(BATCH_EVENTS + 5):
            reporter.report(build_event(metric=f"m{number}"))
        at = monotonic()
        await reporter.flush(3)
        assert monotonic() - at == 3

    assert counter.outcomes == {EventOutcome.STOPPED: BATCH_EVENTS + 5}
