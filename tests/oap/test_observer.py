"""The observer receives every request to an OAP, and every request that was avoided."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Observer, open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.observer import Outcome, Source

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
METRICS = GraphqlRequest("query { metrics: listMetrics { name } }", {})


@dataclass
class EventLog(Observer):
    """Observer that keeps the events."""

    started: int = 0
    any_started: asyncio.Event = field(default_factory=asyncio.Event)
    done: list[Outcome] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    skews: list[float] = field(default_factory=list)

    def request_started(self, _: str) -> None:
        self.started += 1
        self.any_started.set()

    def request_done(self, _: str, outcome: Outcome, seconds: float) -> None:
        assert seconds >= 0
        self.done.append(outcome)

    def request_avoided(self, _: str, source: Source) -> None:
        self.sources.append(source)

    def clock_skew(self, _: str, seconds: float) -> None:
        self.skews.append(seconds)


async def test_identical_reads_are_reported_as_avoided_requests() -> None:
    log = EventLog()
    async with MockOap() as oap, backends(oap, log) as opened:
        backend = opened.select(None, None, "bookinfo")
        await asyncio.gather(*(backend.read(METRICS, Deadline.after(60)) for _ in range(3)))
        await backend.read(METRICS, Deadline.after(60))

    assert (log.started, log.done) == (1, [Outcome.OK])
    assert log.sources == [Source.SINGLE_FLIGHT, Source.SINGLE_FLIGHT, Source.CACHE]


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": "status", "status": 401}, Outcome.REJECTED),
        ({"kind": "status", "status": 500}, Outcome.UNAVAILABLE),
        ({"kind": "response", "body": '{"errors": [{"message": "no such field"}]}'}, Outcome.QUERY_INVALID),
        ({"kind": "response", "body": '{"data": null}'}, Outcome.RESPONSE_INVALID),
    ],
)
async def test_request_ends_with_its_outcome(fault: dict[str, Any], outcome: Outcome) -> None:
    log = EventLog()
    async with MockOap() as oap, backends(oap, log) as opened:
        oap.add_fault(**fault)
        with pytest.raises(ProviderError):
            await opened.select(None, None, "bookinfo").read(METRICS, Deadline.after(60))

    assert log.done == [outcome]


async def test_cancelled_request_is_reported_as_done() -> None:
    log = EventLog()
    async with MockOap() as oap, backends(oap, log) as opened:
        oap.add_fault("hang")
        reading = asyncio.create_task(opened.select(None, None, "bookinfo").read(METRICS, Deadline.after(60)))
        await log.any_started.wait()
    assert reading.cancelled()  # when the backends are closed

    assert (log.started, log.done) == (1, [Outcome.CANCELLED])


async def test_clock_skew_is_reported() -> None:
    log, clock = EventLog(), ManualClock(NOON)
    async with (
        MockOap(clock=clock) as oap,
        open_backends({"prod": config(oap)}, lambda: clock() - timedelta(seconds=90), observer=log) as opened,
    ):
        await opened.select(None, None, "bookinfo").connection.time(Deadline.after(60))

    assert log.skews == [90.0]


def config(oap: MockOap) -> BackendConfig:
    return BackendConfig.model_validate({"url": oap.url, "timeout": "60s"})


def backends(oap: MockOap, observer: Observer) -> Any:
    return open_backends({"prod": config(oap)}, lambda: datetime.now(UTC), observer=observer)
