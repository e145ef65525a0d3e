"""Whoever watches is told of every answer, and changes none."""

import json

import pytest

from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.errors import Reason
from skywalking_provider.model import Deadline, Metric, Phase, Run
from tests.analysis.harness import REFERENCE_CONDITION, HarnessFactory


async def test_listener_receives_details_of_measurement(harness: HarnessFactory) -> None:
    told: list[MeasurementEvent] = []
    async with harness("slow-canary") as b:
        b.engine._listeners = [told.append]
        answer = await b.run()

    (record,) = told
    assert (record.measurement, record.reason) == (answer, Reason.CONDITION_NOT_MET)
    assert (record.details.backend, record.details.success) == ("prod", REFERENCE_CONDITION)
    assert record.details.window
    assert record.details.window.buckets == 3
    assert record.details.sample
    assert [series.buckets for series in record.details.sample.chart_series] == [(3500, 3500, 3500)]
    assert "service_apdex" in record.details.requests[0].query
    assert record.seconds > 0


async def test_listener_receives_facts_of_block_if_nothing_was_read(harness: HarnessFactory) -> None:
    told: list[MeasurementEvent] = []
    async with harness() as b:
        b.engine._listeners = [told.append]
        b.oap.add_fault("status", status=401)
        await b.run()
        await b.run(interval="5")

        refused, wrong = told
        assert "service_apdex" in refused.facts()["ResolvedSkyWalkingQuery"]
    assert refused.reason is Reason.OAP_REJECTED
    assert (wrong.reason, wrong.details.backend) == (Reason.BLOCK_INVALID, "")


@pytest.mark.parametrize("block", [{}, {"interval": "5"}])
async def test_listener_failure_affects_neither_measurement_nor_other_listeners(
    harness: HarnessFactory, block: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[MeasurementEvent] = []

    def fails(*_: object, **__: object) -> None:
        raise ValueError("I/O operation on closed file")

    async with harness() as b:
        expected = await b.run(**block)
        b.engine._listeners = [fails, told.append]
        monkeypatch.setattr("skywalking_provider.analysis.engine._log.exception", fails, raising=False)
        answer = await b.run(**block)

    assert (answer.phase, answer.message) == (expected.phase, expected.message)
    assert [one.measurement for one in told] == [answer]


async def test_listener_chart_series_of_indicator_are_in_its_unit_and_absent_without_calls(
    harness: HarnessFactory,
) -> None:
    told: list[MeasurementEvent] = []
    block = {"sli": "success-rate", "window": "6m", "service": "reviews.bookinfo", "since": "window"}
    block |= {"instances": {"podTemplateHash": "6c85f7bf4"}}
    async with harness("idle-minutes") as b:
        b.engine._listeners = [told.append]
        asked = Metric("rate", "result > 0.9", "", json.dumps(block).encode())
        answer = await b.engine.run(asked, Run("bookinfo"), Deadline.after(10))

    assert answer.phase is Phase.SUCCESSFUL, answer.message
    assert told[0].details.sample
    rate, calls = told[0].details.sample.chart_series
    assert [bucket is None for bucket in rate.buckets] == [bucket is None for bucket in calls.buckets]
    assert set(rate.present) == {1.0}
    assert set(calls.present) == {60}
    assert len(rate.present) == 4
