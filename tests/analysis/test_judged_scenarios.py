"""Judged blocks on the shipped scenarios of the mock OAP find what their descriptions claim."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from skywalking_provider.model import Deadline, Measurement, Phase
from tests.analysis.harness import VERSIONS, HarnessFactory
from tests.analysis.judged import COMPARE, RUN, judge_at, metric

SHIPPED_COMPARE = COMPARE | {"compare": {"instances": {"podTemplateHash": "7d4f9c8b65"}}}


@asynccontextmanager
async def looks_at(
    harness: HarnessFactory, scenario: str, minutes: range, **block: object
) -> AsyncIterator[list[Measurement]]:
    """Yield the measurements of a run at several minutes after its start."""
    async with harness(scenario) as started:
        yield [await judge_at(started, minute + 0.5, SHIPPED_COMPARE | block) for minute in minutes]


async def test_judged_healthy_is_fine_and_never_failed(harness: HarnessFactory) -> None:
    async with looks_at(harness, "judged-healthy", range(2, 31)) as looks:
        assert looks[-1].phase is Phase.SUCCESSFUL
        assert {one.phase for one in looks} == {Phase.SUCCESSFUL, Phase.RUNNING}


async def test_judged_bad_is_worse_than_stable_within_six_minutes(harness: HarnessFactory) -> None:
    async with looks_at(harness, "judged-bad", range(2, 31)) as looks:
        first = next(at for at, one in enumerate(looks) if one.phase is Phase.FAILED)
        assert first <= 6
        assert looks[first].message.startswith("WORSE_THAN_STABLE success-rate 0.95 of ")
        assert {one.phase for one in looks[:first]} <= {Phase.RUNNING}
        assert {one.phase for one in looks[first:]} == {Phase.FAILED}


async def test_judged_thin_is_undecided_when_the_wait_ends_and_fine_after_more_than_an_hour(
    harness: HarnessFactory,
) -> None:
    async with harness("judged-thin") as started:
        measurement = await judge_at(started, 1.5, SHIPPED_COMPARE)
        while not measurement.phase.completed:
            assert measurement.resume_at
            started.clock.set(measurement.resume_at)
            measurement = await started.engine.resume(metric(SHIPPED_COMPARE), RUN, measurement, Deadline.after(10))
    assert measurement.phase is Phase.INCONCLUSIVE
    assert measurement.message.startswith("UNDECIDED too few calls: canary 0 of ")
    async with looks_at(harness, "judged-thin", range(61, 91), maxWait="2h") as looks:
        assert looks[0].phase is Phase.RUNNING
        assert looks[-1].phase is Phase.SUCCESSFUL


async def test_judged_cold_start_is_fine_in_the_end_and_never_failed(harness: HarnessFactory) -> None:
    async with looks_at(harness, "judged-cold-start", range(2, 61), maxWait="1h") as looks:
        assert looks[0].phase is Phase.RUNNING
        assert {one.phase for one in looks} == {Phase.RUNNING, Phase.SUCCESSFUL}
        assert looks[-1].phase is Phase.SUCCESSFUL


async def test_shared_incident_fails_no_look_and_the_canary_is_fine(harness: HarnessFactory) -> None:
    async with looks_at(harness, "shared-incident", range(2, 31), maxWait="30m") as looks:
        assert {one.phase for one in looks} == {Phase.RUNNING, Phase.SUCCESSFUL}
        assert looks[-1].phase is Phase.SUCCESSFUL


@pytest.mark.parametrize("version", VERSIONS)
async def test_shared_incident_aborts_a_rollout_with_a_threshold(harness: HarnessFactory, version: str) -> None:
    block = {"sli": "success-rate", "service": SHIPPED_COMPARE["service"], "instances": SHIPPED_COMPARE["instances"]}
    async with harness("shared-incident", version=version) as started:
        measurement = await judge_at(started, 8.5, block | {"window": "3m"}, success="result >= 0.98")
    assert measurement.phase is Phase.FAILED
