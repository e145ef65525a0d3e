"""Tests of listeners: each attempt sends an event, and a listener cannot change the measurement."""

import json

import pytest

from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.errors import Reason
from skywalking_provider.model import Deadline, Metric, Phase, Run
from tests.analysis.harness import REFERENCE_CONDITION, HarnessFactory


async def test_listener_receives_details_of_measurement(harness: HarnessFactory) -> None:
    events: list[MeasurementEvent] = []
    async with harness("slow-canary") as b:
        b.engine._listeners = [events.append]
        measurement = await b.run()

    (event,) = events
    assert (event.measurement, event.reason) == (measurement, Reason.CONDITION_NOT_MET)
    assert (event.details.backend, event.details.success) == ("prod", REFERENCE_CONDITION)
    assert event.details.window
    assert event.details.window.buckets == 3
    assert event.details.sample
    assert [series.buckets for series in event.details.sample.chart_series] == [(3500, 3500, 3500)]
    assert "service_apdex" in event.details.requests[0].query
    assert event.seconds > 0


async def test_listener_receives_facts_of_block_if_nothing_was_read(harness: HarnessFactory) -> None:
    events: list[MeasurementEvent] = []
    async with harness() as b:
        b.engine._listeners = [events.append]
        b.oap.add_fault("status", status=401)
        await b.run()
        await b.run(interval="5")

        rejected, invalid = events
        assert "service_apdex" in rejected.facts()["ResolvedSkyWalkingQuery"]
    assert rejected.reason is Reason.OAP_REJECTED
    assert (invalid.reason, invalid.details.backend) == (Reason.BLOCK_INVALID, "")


@pytest.mark.parametrize("block", [{}, {"interval": "5"}])
async def test_listener_failure_affects_neither_measurement_nor_other_listeners(
    harness: HarnessFactory, block: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[MeasurementEvent] = []

    def fails(*_: object, **__: object) -> None:
        raise ValueError("I/O operation on closed file")

    async with harness() as b:
        expected = await b.run(**block)
        b.engine._listeners = [fails, events.append]
        monkeypatch.setattr("skywalking_provider.analysis.engine._log.exception", fails, raising=False)
        measurement = await b.run(**block)

    assert (measurement.phase, measurement.message) == (expected.phase, expected.message)
    assert [one.measurement for one in events] == [measurement]


async def test_listener_chart_series_of_indicator_are_in_its_unit_and_absent_without_calls(
    harness: HarnessFactory,
) -> None:
    events: list[MeasurementEvent] = []
    block = {"sli": "success-rate", "window": "6m", "service": "reviews.bookinfo", "since": "window"}
    block |= {"instances": {"podTemplateHash": "6c85f7bf4"}}
    async with harness("idle-minutes") as b:
        b.engine._listeners = [events.append]
        metric = Metric("rate", "result > 0.9", "", json.dumps(block).encode())
        measurement = await b.engine.run(metric, Run("bookinfo"), Deadline.after(10))

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert events[0].details.sample
    rate, calls = events[0].details.sample.chart_series
    assert [bucket is None for bucket in rate.buckets] == [bucket is None for bucket in calls.buckets]
    assert set(rate.present) == {1.0}
    assert set(calls.present) == {60}
    assert len(rate.present) == 4
