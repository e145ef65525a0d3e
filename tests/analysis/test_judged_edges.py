"""Edge cases of judged blocks: sides without calls, overlapping selections, gaps, clocks and long runs."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.mock_oap import Scenario
from skywalking_provider.mock_oap.metric_catalog import METRICS, MetricDefinition, MetricScope
from skywalking_provider.model import Deadline, Measurement, Phase, Run
from tests.analysis.harness import NOON, Harness, HarnessFactory
from tests.analysis.judged import (
    CANARY_HASH,
    COMPARE,
    OBJECTIVE,
    RUN,
    SERVICE,
    STABLE_HASH,
    both,
    calls,
    judge_at,
    metric,
    pod,
    rollout,
)

EVERYTHING_FAILS = calls(120, 120)


def result(measurement: Measurement) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(measurement.value)
    return content


def services(**traffic: dict[str, Any]) -> Scenario:
    return Scenario.model_validate(
        {"services": [{"name": name, "endpoints": ["/a", "/b"], "traffic": [one]} for name, one in traffic.items()]}
    )


async def test_verdict_stands_when_stable_has_no_traffic_any_more(harness: HarnessFactory) -> None:
    at_full_weight = both(calls(120, 1), calls(1080, 9, until=6))
    async with harness(at_full_weight) as running:
        measurement = await judge_at(running, 20.2, COMPARE)

    assert measurement.phase is Phase.SUCCESSFUL
    assert result(measurement)["minutes"] == 5


async def test_canary_without_traffic_is_no_data(harness: HarnessFactory) -> None:
    scaled_to_zero = both(calls(120, until=0), calls(1080, 9))
    async with harness(scaled_to_zero) as running:
        measurement = await judge_at(running, 8.2, COMPARE)

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("NO_DATA no value of service_instance_sla of canary in 6 buckets")


async def test_sides_without_a_common_minute_are_no_data(harness: HarnessFactory) -> None:
    odd = both(calls(120, idle_every=2), calls(120, until=2, idleMinutes=[1]))
    async with harness(odd) as running:
        measurement = await judge_at(running, 8.2, COMPARE)

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("NO_DATA ")


async def test_minutes_of_one_side_alone_do_not_count(harness: HarnessFactory) -> None:
    canary = pod(CANARY_HASH, calls(120, 0, idleMinutes=[3]))
    stable = pod(STABLE_HASH, calls(1080, 9, idleMinutes=[5, 6]))
    async with harness(rollout(canary, stable)) as running:
        measurement = await judge_at(running, 10.2, COMPARE)

    assert result(measurement)["minutes"] == 8 - 3
    assert result(measurement)["calls"] == {"canary": 5 * 120, "stable": 5 * 1080}


async def test_gap_on_both_sides_changes_nothing(harness: HarnessFactory) -> None:
    gap = [4, 5, 6, 7, 8]
    with_gap = both(calls(120, 1, idleMinutes=gap), calls(1080, 9, idleMinutes=gap))
    async with harness(with_gap) as running:
        after_the_gap = await judge_at(running, 11.2, COMPARE)
    async with harness(both(calls(120, 1), calls(1080, 9))) as running:
        without = await judge_at(running, 6.2, COMPARE)

    assert result(after_the_gap) == result(without)


async def test_same_service_without_instances_compares_itself(harness: HarnessFactory) -> None:
    block = {"sli": "success-rate", "service": SERVICE, "compare": {}}
    async with harness(both(calls(120), calls(1080))) as running:
        measurement = await judge_at(running, 5.2, block)

    assert measurement.phase is Phase.ERROR
    assert measurement.message == (
        "COMPARES_ITSELF compare selects the same service as the block. Set compare.service or compare.endpoint to"
        " that of stable, or select instances in the block and in compare"
    )


async def test_whole_service_of_the_canary_compares_itself(harness: HarnessFactory) -> None:
    async with harness(both(calls(120), calls(1080))) as running:
        measurement = await judge_at(running, 0.5, COMPARE | {"compare": {}})

    assert measurement.phase is Phase.ERROR
    assert measurement.message == (
        "COMPARES_ITSELF the block selects the instances 6c85f7bf4 and compare the whole service, which have calls in"
        ' common. Set compare.instances to {podTemplateHash: "{{args.stable-hash}}"} with podTemplateHashValue: Stable'
    )


@pytest.mark.parametrize("stable", [{"layer": "MESH"}, {"service": {"name": "reviews", "namespace": "bookinfo"}}])
async def test_whole_service_of_the_canary_by_another_spelling_compares_itself(
    harness: HarnessFactory, stable: dict[str, Any]
) -> None:
    async with harness(both(calls(120), calls(1080))) as running:
        measurement = await judge_at(running, 5.2, COMPARE | {"compare": stable})

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("COMPARES_ITSELF the block selects the instances 6c85f7bf4 and compare")


async def test_instance_on_both_sides_is_named(harness: HarnessFactory) -> None:
    block = COMPARE | {"instances": {"name": "reviews-.*"}}
    async with harness(both(calls(120), calls(1080))) as running:
        measurement = await judge_at(running, 5.2, block)

    assert measurement.phase is Phase.ERROR
    assert measurement.message == (
        "COMPARES_ITSELF compare selects instances of the canary, too: reviews-5b8c6d7f99-x7k2d."
        " Select other instances in compare.instances"
    )


@pytest.mark.parametrize("hash_", ["", "  "])
async def test_empty_hash_of_stable_is_an_error(harness: HarnessFactory, hash_: str) -> None:
    block = COMPARE | {"compare": {"instances": {"podTemplateHash": hash_}}}
    async with harness(both(calls(120), calls(1080))) as running:
        measurement = await judge_at(running, 5.2, block)

    assert measurement.phase is Phase.ERROR
    assert "compare.instances.podTemplateHash: is empty" in measurement.message


async def test_rounded_rate_above_10000_calls_is_taken_against_the_claim(harness: HarnessFactory) -> None:
    block = OBJECTIVE | {"objective": 0.995}
    async with harness(both(calls(25_000, 251), calls(1080))) as running:
        measurement = await judge_at(running, 4.2, block)
        result_ = await judge_at(running, 4.2, block, success="true")

    assert measurement.phase is Phase.RUNNING
    assert result(result_)["canary"] == pytest.approx(1 - 252 / 25_000)  # sla 9899: 250 to 252 failures


async def test_latency_of_0_ms_is_judged(harness: HarnessFactory) -> None:
    fast = both(calls(120, latencies=[0]), calls(1080, latencies=[0]))
    async with harness(fast) as running:
        measurement = await judge_at(running, 7.2, COMPARE | {"sli": "latency"})

    assert measurement.phase is Phase.SUCCESSFUL


async def test_warm_up_leaves_out_the_first_minutes(harness: HarnessFactory) -> None:
    cold = rollout(
        pod(CANARY_HASH, calls(120, 120, until=5), calls(120, 0, **{"from": 5})), pod(STABLE_HASH, calls(1080, 0))
    )
    async with harness(cold) as running:
        assert (await judge_at(running, 14.2, COMPARE)).phase is Phase.FAILED
        warm = await judge_at(running, 14.2, COMPARE | {"warmUp": "4m"})

    assert warm.phase is Phase.SUCCESSFUL
    assert result(warm)["minutes"] == 8


async def test_retried_rollout_is_judged_from_its_own_start(harness: HarnessFactory) -> None:
    broken_before = rollout(
        pod(CANARY_HASH, calls(120, 120, until=10), calls(120, 0, **{"from": 10})), pod(STABLE_HASH, calls(1080, 0))
    )
    start = NOON.replace(second=0) + timedelta(minutes=10)
    retry = replace(RUN, name="reviews-2", created_at=start, started_at=start)
    async with harness(broken_before) as running:
        assert (await judge_at(running, 20.2, COMPARE)).phase is Phase.FAILED
        measurement = await judge_at(running, 20.2, COMPARE, run=retry)

    assert measurement.phase is Phase.SUCCESSFUL


async def test_run_without_times_is_judged_from_the_start_of_the_measurement(harness: HarnessFactory) -> None:
    async with harness(both(EVERYTHING_FAILS, calls(1080))) as running:
        measurement = await judge_at(running, 20, COMPARE, run=Run(namespace="bookinfo", name="reviews-1"))

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("NO_DATA no bucket since the start of the run has closed yet")


async def test_replicas_find_the_same_byte_for_byte(harness: HarnessFactory) -> None:
    scenario = both(calls(117, 4), calls(1083, 11))
    measurements = []
    for _ in range(2):
        async with harness(scenario) as running:
            measurements.append(await judge_at(running, 13.2, COMPARE))

    first, second = measurements
    assert (first.phase, first.message, first.value) == (second.phase, second.message, second.value)


@pytest.mark.parametrize("interval", [1, 5])
async def test_looks_in_between_change_nothing(harness: HarnessFactory, interval: int) -> None:
    scenario = both(calls(117, 2), calls(1083, 11))
    async with harness(scenario) as running:
        for minute in range(2, 21, interval):
            await judge_at(running, minute + 0.5, COMPARE)
        last = await judge_at(running, 22.5, COMPARE)
    async with harness(scenario) as running:
        only = await judge_at(running, 22.5, COMPARE)

    assert last.value == only.value


async def test_very_long_run_is_judged_by_its_last_480_minutes(harness: HarnessFactory) -> None:
    bad_at_first = rollout(
        pod(CANARY_HASH, calls(120, 120, until=100), calls(120, 0, **{"from": 100})), pod(STABLE_HASH, calls(1080, 0))
    )
    async with harness(bad_at_first) as running:
        within = await judge_at(running, 480.2, COMPARE)
        after = await judge_at(running, 600.2, COMPARE)

    assert within.phase is Phase.FAILED
    assert after.phase is Phase.SUCCESSFUL
    assert result(after)["minutes"] == 480


async def test_fault_late_in_a_very_long_run_is_found(harness: HarnessFactory) -> None:
    late = rollout(
        pod(CANARY_HASH, calls(120, 0, until=700), calls(120, 24, **{"from": 700})), pod(STABLE_HASH, calls(1080, 9))
    )
    async with harness(late) as running:
        before = await judge_at(running, 701.5, COMPARE)
        found = await judge_at(running, 708.5, COMPARE)

    assert before.phase is Phase.SUCCESSFUL
    assert (found.phase, found.message.partition(" ")[0]) == (Phase.FAILED, "WORSE_THAN_STABLE")


async def test_clock_put_back_in_the_oaps_zone(harness: HarnessFactory) -> None:
    """Berlin's clock went from 03:00 to 02:00 at 01:00 UTC; an OAP stores both hours in the same buckets."""
    at = datetime(2026, 10, 25, 0, 30, 20, tzinfo=UTC)
    run = replace(RUN, created_at=at, started_at=at)
    zone = {"timezone": "Europe/Berlin"}
    async with harness(both(calls(120, 1), calls(1080, 9)), at=at, backend=zone, **zone) as running:
        measurements = []
        for minutes in (20.2, 29, 40.2, 60.2, 120.2):
            running.clock.set(at + timedelta(minutes=minutes))
            block = metric(COMPARE, "true")
            measurements.append(await running.engine.run(block, run, Deadline.after(10)))

    assert [one.phase for one in measurements] == [Phase.SUCCESSFUL] * 5, [one.message for one in measurements]
    assert [result(one)["minutes"] for one in measurements] == [18, 27, 9, 29, 89]


SCOPES = {
    "service": {"service": "canary", "compare": {"service": "stable"}},
    "endpoint": {"service": "canary", "endpoint": "/a", "compare": {"service": "stable"}},
    "instance": {
        "service": SERVICE,
        "instances": {"podTemplateHash": CANARY_HASH},
        "compare": {"instances": {"podTemplateHash": STABLE_HASH}},
    },
}
INDICATORS: dict[str, dict[str, Any]] = {
    "success-rate": {"sli": "success-rate"},
    "latency": {"sli": "latency"},
    "percentile": {"sli": "latency", "percentile": 95},
    "apdex": {"sli": "apdex"},
}
KEPT = [
    ("service", "success-rate"),
    ("service", "latency"),
    ("service", "percentile"),
    ("service", "apdex"),
    ("endpoint", "success-rate"),
    ("endpoint", "latency"),
    ("endpoint", "percentile"),
    ("instance", "success-rate"),
    ("instance", "latency"),
]
MISSING = {
    ("endpoint", "apdex"): "endpoint_apdex = from(Endpoint.latency).apdex(serviceName, status);",
    ("instance", "apdex"): "service_instance_apdex = from(ServiceInstance.latency).apdex(serviceName, status);",
    ("instance", "percentile"): "service_instance_percentile = from(ServiceInstance.latency).percentile2(10);",
}


def all_scopes() -> Scenario:
    healthy, stable = calls(240, 0), calls(1080, 0)
    content = services(canary=healthy, stable=stable).model_dump(by_alias=True, exclude_none=True)
    pods = both(healthy, stable).model_dump(by_alias=True, exclude_none=True)
    return Scenario.model_validate({"services": [*content["services"], *pods["services"]]})


@pytest.mark.parametrize(("scope", "indicator"), KEPT)
async def test_combination_that_skywalking_keeps_is_judged(harness: HarnessFactory, scope: str, indicator: str) -> None:
    async with harness(all_scopes()) as running:
        measurement = await judge_at(running, 20.2, SCOPES[scope] | INDICATORS[indicator])

    assert (measurement.phase, measurement.message) == (Phase.SUCCESSFUL, "")


@pytest.mark.parametrize(("scope", "indicator"), MISSING)
async def test_combination_without_a_metric_has_the_oal_line(
    harness: HarnessFactory, scope: str, indicator: str
) -> None:
    async with harness(all_scopes()) as running:
        measurement = await judge_at(running, 20.2, SCOPES[scope] | INDICATORS[indicator])

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("METRIC_UNAVAILABLE OAP has no ")
    assert f"Add `{MISSING[scope, indicator]}`" in measurement.message


@pytest.fixture
def instance_percentile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the metric of the OAL line above to the mock."""
    name = "service_instance_percentile"
    monkeypatch.setitem(METRICS, name, MetricDefinition(name, MetricScope.INSTANCE, None))


@pytest.mark.usefixtures("instance_percentile")
async def test_percentile_of_one_instance_on_each_side_is_judged(harness: HarnessFactory) -> None:
    async with harness(all_scopes()) as running:
        measurement = await judge_at(running, 20.2, SCOPES["instance"] | INDICATORS["percentile"])

    assert (measurement.phase, measurement.message) == (Phase.SUCCESSFUL, "")


@pytest.mark.usefixtures("instance_percentile")
@pytest.mark.parametrize("hash_", [CANARY_HASH, STABLE_HASH])
async def test_percentile_of_several_instances_of_a_side_is_an_error(harness: HarnessFactory, hash_: str) -> None:
    pods = [pod(CANARY_HASH, calls(240)), pod(STABLE_HASH, calls(1080)), pod(hash_, calls(240), suffix="bbbbb")]
    async with harness(rollout(*pods)) as running:
        measurement = await judge_at(running, 20.2, SCOPES["instance"] | INDICATORS["percentile"])

    assert measurement.phase is Phase.ERROR
    assert measurement.message == (
        "QUERY_INVALID percentiles of 2 instances cannot be merged. Remove percentile to judge the average latency, or"
        " select one instance, a service or an endpoint"
    )


def series_requests(running: Harness) -> int:
    return sum("getTimeInfo" not in str(request) for request in running.oap.requests)


async def test_runs_that_started_in_different_hours_share_their_requests(harness: HarnessFactory) -> None:
    cached = {"cache": {"responseTtl": "7s", "verdictTtl": "0s"}}
    async with harness(both(calls(120, 1), calls(1080, 9)), backend=cached) as running:
        await judge_at(running, 200.2, COMPARE)
        before = series_requests(running)
        for started in (10, 55, 70, 130, 150):
            start = NOON + timedelta(minutes=started)
            await judge_at(running, 200.2, COMPARE, run=replace(RUN, created_at=start, started_at=start))

        assert series_requests(running) == before


async def test_next_look_reads_and_lists_only_the_newest_part(harness: HarnessFactory) -> None:
    cached = {"cache": {"responseTtl": "1ms", "verdictTtl": "0s"}}
    async with harness(both(calls(120, 1), calls(1080, 9)), backend=cached) as running:
        await judge_at(running, 200.2, COMPARE)
        before = len(running.oap.requests)
        await asyncio.sleep(0.01)  # past the TTL of responses that may still change
        await judge_at(running, 201.2, COMPARE)

        later = {request.body for request in running.oap.requests[before:] if "getTimeInfo" not in request.body}
        assert len(later) == 1  # the list of instances and their series
        assert all("2026-11-24 1500" in body for body in later)


async def test_pods_of_different_hours_are_one_side(harness: HarnessFactory) -> None:
    early = pod(CANARY_HASH, calls(120, 0, until=50), suffix="aaaaa") | {"until": 55}
    late = pod(CANARY_HASH, calls(120, 0, **{"from": 50}), suffix="bbbbb") | {"from": 64}
    async with harness(rollout(early, late, pod(STABLE_HASH, calls(1080, 9)))) as running:
        measurement = await judge_at(running, 90.2, COMPARE, failure="true")

    assert result(measurement)["minutes"] == 49 + 29
    assert " · 2 instances of 6c85f7bf4 · " in measurement.message
