"""Measurements of judged blocks: finding, message, value and waiting."""

import json

import pytest

from skywalking_provider.model import Deadline, Measurement, Phase
from tests.analysis.harness import VERSIONS, HarnessFactory
from tests.analysis.judged import (
    CANARY_HASH,
    COMPARE,
    OBJECTIVE,
    RUN,
    both,
    calls,
    judge_at,
    metric,
    pod,
    rollout,
)

HEALTHY = both(calls(120, 1), calls(1080, 9))
BAD = both(calls(120, 6), calls(1080, 9))
THIN = both(calls(12), calls(288, 2))


def described(measurement: Measurement) -> tuple[Phase, str]:
    return measurement.phase, measurement.message.partition(" ")[0]


@pytest.mark.parametrize("version", VERSIONS)
async def test_healthy_canary_is_successful_with_its_evidence(harness: HarnessFactory, version: str) -> None:
    async with harness(HEALTHY, version=version) as running:
        measurement = await judge_at(running, 7.2, COMPARE)

    assert (measurement.phase, measurement.message) == (Phase.SUCCESSFUL, "")
    result = json.loads(measurement.value)
    assert (result["verdict"], result["calls"], result["minutes"]) == ("fine", {"canary": 600, "stable": 5400}, 5)


@pytest.mark.parametrize("version", VERSIONS)
async def test_canary_worse_than_stable_fails_with_both_sides(harness: HarnessFactory, version: str) -> None:
    async with harness(BAD, version=version) as running:
        measurement = await judge_at(running, 7.2, COMPARE)

    assert measurement.phase is Phase.FAILED
    assert measurement.message == (
        "WORSE_THAN_STABLE success-rate 0.95 of 600 calls, stable 0.9917 of 5 400 calls in the same 5 minutes,"
        " tolerated 0.9886 (1.25 × stable's failures + 0.1 %) · evidence 89 300, needed 1 000 · worst minute 12:05:"
        " 6 of 120 failed · 1 instance of 6c85f7bf4, stable 1 instance of 5b8c6d7f99 · 12:01–12:06 +0000 · backend prod"
    )


async def test_canary_that_misses_the_objective_fails(harness: HarnessFactory) -> None:
    async with harness(BAD) as running:
        measurement = await judge_at(running, 7.2, OBJECTIVE)

    assert measurement.phase is Phase.FAILED
    assert measurement.message.startswith(
        "OBJECTIVE_MISSED success-rate 0.95 of 600 calls in 5 minutes, wanted 0.99 · evidence 256 000, needed 1 000"
    )


async def test_thin_traffic_waits_and_then_pauses(harness: HarnessFactory) -> None:
    block = COMPARE | {"maxWait": "4m"}
    async with harness(THIN) as running:
        waiting = await judge_at(running, 4.2, block)
        assert described(waiting) == (Phase.RUNNING, "UNDECIDED")
        assert (
            "too few calls: canary 0 of 24 failed, stable 4 of 576 in 2 minutes · about 8 more minutes"
            in waiting.message
        )
        while not waiting.phase.completed:
            assert waiting.resume_at
            running.clock.set(waiting.resume_at)
            waiting = await running.engine.resume(metric(block), RUN, waiting, Deadline.after(10))

    assert described(waiting) == (Phase.INCONCLUSIVE, "UNDECIDED")
    assert waiting.message.endswith("waited 4m (maxWait)")
    assert json.loads(waiting.value)["verdict"] == "open"


async def test_finding_during_the_wait_ends_it(harness: HarnessFactory) -> None:
    async with harness(BAD) as running:
        measurement = await judge_at(running, 3.2, COMPARE)
        attempts = [measurement]
        while not measurement.phase.completed:
            assert measurement.resume_at
            running.clock.set(measurement.resume_at)
            measurement = await running.engine.resume(metric(COMPARE), RUN, measurement, Deadline.after(10))
            attempts.append(measurement)

    assert [described(one) for one in attempts] == [
        (Phase.RUNNING, "UNDECIDED"),
        (Phase.RUNNING, "UNDECIDED"),
        (Phase.RUNNING, "UNDECIDED"),
        (Phase.FAILED, "WORSE_THAN_STABLE"),
    ]


async def test_same_instances_on_both_sides_are_an_error_at_once(harness: HarnessFactory) -> None:
    itself = COMPARE | {"compare": {"instances": {"podTemplateHash": CANARY_HASH}}}
    async with harness(HEALTHY) as running:
        measurement = await judge_at(running, 0.5, itself)

    assert measurement.phase is Phase.ERROR
    assert measurement.message == (
        "COMPARES_ITSELF compare selects the same instances as the canary (6c85f7bf4). Set compare.instances to"
        ' {podTemplateHash: "{{args.stable-hash}}"} with podTemplateHashValue: Stable'
    )


async def test_stable_without_calls_is_no_data(harness: HarnessFactory) -> None:
    async with harness(both(calls(120), calls(0))) as running:
        measurement = await judge_at(running, 7.2, COMPARE)

    assert described(measurement) == (Phase.RUNNING, "NO_DATA")
    assert "no value of service_instance_sla of stable in 5 buckets" in measurement.message


async def test_stable_without_instances_is_waited_for(harness: HarnessFactory) -> None:
    async with harness(rollout(pod(CANARY_HASH, calls(120)))) as running:
        measurement = await judge_at(running, 7.2, COMPARE)

    assert described(measurement) == (Phase.RUNNING, "ENTITY_NOT_FOUND")
    assert "compare.instances: no instance" in measurement.message


async def test_conditions_decide_alone_at_each_look(harness: HarnessFactory) -> None:
    async with harness(THIN) as running:
        undecided = await judge_at(running, 4.2, COMPARE, success='result.verdict != "worse"')
        assert undecided.phase is Phase.SUCCESSFUL
        gross = await judge_at(running, 4.2, COMPARE, failure="result.canary < 1.1", success="true")
        assert described(gross) == (Phase.FAILED, "FAILURE_CONDITION_MET")
        assert gross.message.startswith(
            "FAILURE_CONDITION_MET success-rate 1 of 24 calls, stable 0.9931 of 576 calls in the same 2 minutes, wanted"
        )


async def test_minutes_before_the_run_are_not_judged(harness: HarnessFactory) -> None:
    earlier = both(calls(120, 60, until=1), calls(1080, 9))
    later = rollout(
        pod(CANARY_HASH, calls(120, 60, until=1), calls(120, 1, **{"from": 1})), pod("5b8c6d7f99", calls(1080, 9))
    )
    async with harness(earlier) as running:
        assert described(await judge_at(running, 7.2, COMPARE)) == (Phase.RUNNING, "NO_DATA")
    async with harness(later) as running:
        assert (await judge_at(running, 7.2, COMPARE)).phase is Phase.SUCCESSFUL
