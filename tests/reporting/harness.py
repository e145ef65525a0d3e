"""Measurement events for tests, and a sender that they control."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent
from skywalking_provider.errors import Reason
from skywalking_provider.model import Entity, EntitySet, Measurement, Metric, Phase, Run
from skywalking_provider.oap.observer import EventOutcome, Observer

STARTED = datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC)
FINISHED = STARTED + timedelta(minutes=4, seconds=2, milliseconds=250)
SERVICE = EntitySet((Entity("reviews.bookinfo"),), ("MESH", "GENERAL"))
RUN = Run(
    namespace="bookinfo",
    name="reviews-6c85f7bf4-2",
    uid="9b8f3c52-7d1e-4c55-9f0f-0d3c5b7a1e11",
    labels={"rollouts-pod-template-hash": "6c85f7bf4"},
    owner_kind="Rollout",
    owner_name="reviews",
    created_at=STARTED - timedelta(seconds=1),
    started_at=STARTED,
)


def instances(count: int) -> EntitySet:
    members = tuple(Entity("reviews.bookinfo", instance=f"reviews-6c85f7bf4-{at:05}") for at in range(count))
    return EntitySet(members, ("MESH",), "6c85f7bf4")


def build_event(
    phase: Phase = Phase.SUCCESSFUL,
    *,
    run: Run = RUN,
    metric: str = "success-rate",
    message: str = "",
    value: str = "0.999",
    reason: Reason | None = None,
    entities: EntitySet | None = SERVICE,
    finished: datetime = FINISHED,
    backend: str = "prod",
) -> MeasurementEvent:
    done = phase.completed
    measurement = Measurement(
        phase, finished - timedelta(seconds=2), message, value, finished_at=finished if done else None
    )
    details = MeasurementDetails(backend=backend, entities=entities)
    return MeasurementEvent(Metric(metric, "", "", b""), run, measurement, reason, details, 0.1)


class EventCounter(Observer):
    """Counts how events end."""

    def __init__(self) -> None:
        self.outcomes: Counter[EventOutcome] = Counter()

    def events_done(self, backend: str, outcome: EventOutcome, count: int = 1) -> None:  # noqa: ARG002
        self.outcomes[outcome] += count


class ScriptedSender:
    """Sender whose requests end as the test says: None accepts, an error is raised, an event is waited for."""

    def __init__(self, *results: Exception | asyncio.Event | None) -> None:
        self.results = list(results)
        self.batches: list[list[dict[str, Any]]] = []
        self.closed = False

    async def send(self, events: Sequence[dict[str, Any]], seconds: float) -> None:  # noqa: ARG002
        self.batches.append(list(events))
        result = self.results.pop(0) if self.results else None
        if isinstance(result, asyncio.Event):
            await result.wait()
        elif result is not None:
            raise result

    async def close(self) -> None:
        self.closed = True
