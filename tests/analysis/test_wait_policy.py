"""Tests of waiting for calls, entities and closed minutes."""

import json
from datetime import timedelta

import pytest

from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Deadline, Metric, Phase, Run
from skywalking_provider.oap.api.request import GraphqlRequest
from tests.analysis.harness import CANARY, NOON, RUN, VERSIONS, HarnessFactory, build_metric, measure, reference_query

QUERY = {"interval": "8m", "query": reference_query(metric="service_sla")}


async def test_since_run_excludes_data_of_previous_canary_with_same_name(harness: HarnessFactory) -> None:
    """Let a failing canary have the name until minute -4, when the run of a good one starts."""

    scenario = parse_scenario(
        f"""
        services:
          - name: "{CANARY}"
            traffic:
              - {{until: -4, calls: 60, failures: 60}}
              - {{from: -4, calls: 60}}
        """,
        "test",
    )
    run = Run(started_at=NOON - timedelta(minutes=4, seconds=10))
    async with harness(scenario) as b:
        by_default = await measure(b, "result >= 0.99", run, sli="success-rate", service=CANARY)
        whole_window = await measure(b, "result >= 0.99", run, sli="success-rate", service=CANARY, since="window")

    assert by_default.phase is Phase.SUCCESSFUL, by_default.message
    assert whole_window.phase is Phase.FAILED


@pytest.mark.parametrize(
    ("keys", "phase"),
    [
        ({}, Phase.SUCCESSFUL),
        ({"since": "run"}, Phase.SUCCESSFUL),
        ({"since": "window"}, Phase.FAILED),
        ({"compatibility": "argo"}, Phase.FAILED),
        ({"compatibility": "argo", "since": "window"}, Phase.FAILED),
    ],
)
async def test_query_excludes_minutes_before_the_run(
    harness: HarnessFactory, keys: dict[str, str], phase: Phase
) -> None:
    """Let a failing canary have the name until minute -4, when the run of a good one starts."""
    scenario = parse_scenario(
        f"""
        services:
          - name: "{CANARY}"
            traffic:
              - {{until: -4, calls: 60, failures: 60}}
              - {{from: -4, calls: 60}}
        """,
        "test",
    )
    run = Run(started_at=NOON - timedelta(minutes=4, seconds=10), labels={"rollout-type": "Background"})
    async with harness(scenario) as b:
        metric = build_metric("any(result.service_sla.values.values, {.value == 0}) == false", **QUERY, **keys)
        measurement = await b.engine.run(metric, run, Deadline.after(10))

    assert measurement.phase is phase, measurement.message


async def test_new_run_of_a_query_waits_for_first_closed_minute(harness: HarnessFactory) -> None:
    """A query with minutes before the run would abort the canary with its first measurement."""
    scenario = parse_scenario(
        f"""
        services:
          - name: "{CANARY}"
            traffic: [{{until: 1, calls: 60, failures: 60}}, {{from: 1, calls: 60}}]
        """,
        "test",
    )
    metric, run = (
        build_metric("all(result.service_sla.values.values, {.value == 10000})", **QUERY),
        Run(started_at=NOON),
    )
    async with harness(scenario) as b:
        steps = [await b.engine.run(metric, run, Deadline.after(10))]
        while not steps[-1].phase.completed:
            b.clock.set(steps[-1].resume_at)
            steps.append(await b.engine.resume(metric, run, steps[-1], Deadline.after(10)))

    assert steps[0].message.startswith("NO_DATA no bucket since the start of the run has closed yet")
    assert steps[-1].phase is Phase.SUCCESSFUL, steps[-1].message
    assert steps[-1].finished_at == NOON + timedelta(minutes=2, seconds=40)


@pytest.mark.parametrize("kind", ["Background", "Step"])
async def test_default_wait_is_longer_than_a_mesh_needs_for_a_name(harness: HarnessFactory, kind: str) -> None:
    """Let the canary have the calls of its pods from the fourth minute, as on an OAP behind Istio."""
    scenario = parse_scenario(f'services: [{{name: "{CANARY}", traffic: [{{from: 4, calls: 60}}]}}]', "test")
    metric = Metric(
        "m", "result == 1", "", json.dumps({"sli": "success-rate", "service": CANARY, "window": "3m"}).encode()
    )
    run = Run(started_at=NOON, labels={"rollout-type": kind})
    async with harness(scenario) as b:
        step = await b.engine.run(metric, run, Deadline.after(10))
        while not step.phase.completed:
            b.clock.set(step.resume_at)
            step = await b.engine.resume(metric, run, step, Deadline.after(10))

    assert step.phase is Phase.SUCCESSFUL, step.message


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("success", "block"),
    [
        ("result == 1", {"sli": "success-rate", "service": CANARY, "window": "1m"}),
        ("all(result.service_sla.values.values, {.value == 10000})", QUERY | {"interval": "1m", "since": "window"}),
        ("all(result.service_sla.values.values, {.value == 10000})", QUERY),
    ],
)
async def test_window_of_one_minute_is_measured_on_every_oap(
    harness: HarnessFactory, version: str, success: str, block: dict[str, str]
) -> None:
    """OAP 9.2 rejects a duration of one minute, so the measurement waits for the second one."""
    metric, run = Metric("m", success, "", json.dumps(block).encode()), Run(started_at=NOON)
    async with harness(version=version) as b:
        b.clock.set(NOON.replace(minute=3))
        step = await b.engine.run(metric, run, Deadline.after(10))
        while not step.phase.completed:
            b.clock.set(step.resume_at)
            step = await b.engine.resume(metric, run, step, Deadline.after(10))

    assert step.phase is Phase.SUCCESSFUL, step.message
    assert step.finished_at == (NOON.replace(minute=4, second=0) if version == "9.2.0" else NOON.replace(minute=3))


async def test_new_run_waits_for_first_closed_minute_regardless_of_max_wait(
    harness: HarnessFactory,
) -> None:
    run = Run(started_at=NOON, labels={"rollout-type": "Background"})
    block = {"sli": "success-rate", "service": CANARY, "window": "5m", "maxWait": "1m"}
    content = Metric("m", "result >= 0.99", "", json.dumps(block).encode())
    async with harness() as b:
        steps = [await b.engine.run(content, run, Deadline.after(10))]
        while not steps[-1].phase.completed:
            b.clock.set(steps[-1].resume_at)
            steps.append(await b.engine.resume(content, run, steps[-1], Deadline.after(10)))

    assert steps[0].message.startswith("NO_DATA no bucket since the start of the run has closed yet")
    assert steps[-1].phase is Phase.SUCCESSFUL
    # Begun at 12:00:20: the first whole minute is 12:01, closed and settled at 12:03:00.
    assert steps[-1].finished_at == NOON + timedelta(minutes=2, seconds=40)


async def test_too_few_calls_window_grows_until_calls_suffice(
    harness: HarnessFactory,
) -> None:
    block = {"sli": "success-rate", "service": CANARY, "window": "2m", "minCalls": 300, "since": "window"}
    content = Metric("m", "result >= 0.99", "", json.dumps(block).encode())
    async with harness() as b:
        steps = [await b.engine.run(content, RUN, Deadline.after(10))]
        while not steps[-1].phase.completed:
            b.clock.set(steps[-1].resume_at)
            steps.append(await b.engine.resume(content, RUN, steps[-1], Deadline.after(10)))

    assert steps[0].message.startswith("TOO_FEW_CALLS 120 calls, wanted 300 (minCalls)")
    assert [step.phase for step in steps] == [Phase.RUNNING] * 3 + [Phase.SUCCESSFUL]


async def test_too_few_calls_after_max_wait_end_with_on_no_data(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await measure(
            b, sli="success-rate", service=CANARY, minCalls=10**6, maxWait="0", onNoData="failed"
        )

    assert measurement.phase is Phase.FAILED
    assert measurement.message.startswith("TOO_FEW_CALLS 300 calls, wanted 1 000 000")


@pytest.mark.parametrize("second", range(0, 60, 7))
async def test_late_data_within_settle_delay_never_changes_verdict(harness: HarnessFactory, second: int) -> None:
    """Compare a window with the same window an hour later, with calls that arrive 30 s late and a flush every 25 s."""
    scenario = parse_scenario(
        f"""{{flush: 25, services: [{{name: "{CANARY}", traffic: [{{calls: 60, delay: 30}}]}}]}}""", "test"
    )
    async with harness(scenario) as b:
        b.clock.set(NOON.replace(minute=20, second=second))
        early = await measure(b, service=CANARY, expression="service_cpm", since="window")
        request = next(r for r in reversed(b.oap.requests) if "execExpression" in r.body)

        b.clock.advance(3600)

        backend = b.engine._backends.select(None, None, "bookinfo")
        response = await backend.read(
            GraphqlRequest(json.loads(request.body)["query"], json.loads(request.body)["variables"]), Deadline.after(5)
        )

    later = [int(value["value"]) for value in response["e0"]["results"][0]["values"]]
    assert json.loads(early.value) == later


async def test_outage_time_is_not_part_of_wait_budget_for_new_entity(harness: HarnessFactory) -> None:
    """Let an outage last 3 minutes, longer than the 2 minutes that the measurement waits for an entity."""
    run = Run(labels={"rollout-type": "Background"})
    block = {"sli": "success-rate", "service": "new.bookinfo", "window": "5m", "maxWait": "2m"}
    content = Metric("m", "result >= 0.99", "", json.dumps(block).encode())
    async with harness() as b:
        b.oap.add_fault("status", status=503)
        step = await b.engine.run(content, run, Deadline.after(10))
        b.clock.advance(180)
        step = await b.engine.resume(content, run, step, Deadline.after(10))
        assert step.message.startswith("OAP_UNAVAILABLE ")
        b.oap.clear_faults()
        b.clock.advance(15)
        resumed = await b.engine.resume(content, run, step, Deadline.after(10))
        while not resumed.phase.completed:
            last = resumed
            b.clock.set(resumed.resume_at)
            resumed = await b.engine.resume(content, run, resumed, Deadline.after(10))

    assert last.message.startswith("ENTITY_NOT_FOUND ")
    assert resumed.phase is Phase.ERROR
    assert resumed.finished_at - NOON == timedelta(minutes=5)
    assert resumed.metadata == {}
