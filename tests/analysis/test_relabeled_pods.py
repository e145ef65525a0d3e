"""Tests of a mesh whose OAP names services by labels of pods: new pods are UNKNOWN, relabeled ones keep their name.

Each test replays a rollout on the mock's clock. It starts 20 s after minute 0 of the scenario.
"""

import json
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.mock_oap import load_scenario
from skywalking_provider.mock_oap.scenario import Scenario, parse_scenario
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from tests.analysis.harness import CANARY, HASH, NOON, VERSIONS, Harness, HarnessFactory, reference_query

STABLE = "stable|reviews|bookinfo|cluster-1|-"
RUN = Run(
    namespace="bookinfo",
    name="reviews-7",
    labels={"rollout-type": "Background", "rollouts-pod-template-hash": HASH},
    owner_kind="Rollout",
    owner_name="reviews",
    started_at=NOON,
)
APDEX = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"
QUERY: dict[str, Any] = {"interval": "3m", "query": reference_query()}
RATE: dict[str, Any] = {"sli": "success-rate", "window": "3m", "service": CANARY}
EXPRESSION: dict[str, Any] = {"expression": "avg(service_sla)", "scale": 10000, "window": "3m", "service": CANARY}
FORMS = [(QUERY, APDEX), (RATE, "result >= 0.99"), (EXPRESSION, "result >= 0.99")]


def scenario(
    *, old_until: int = 5, new_from: int = 3, old: str = "reviews-6b5d9c7f8-h6pnw.bookinfo", layer: str = "MESH"
) -> Scenario:
    """Return a failing canary of the last rollout that keeps its name until a minute, and a healthy new one."""
    unknown = f"traffic: [{{from: 0, until: {new_from}, calls: 60}}]" if new_from else "traffic: []"
    return parse_scenario(
        f"""
        services:
          - name: "{CANARY}"
            layer: {layer}
            instances:
              - {{name: {old}, traffic: [{{until: {old_until}, calls: 60, failures: 12}}]}}
              - {{name: reviews-{HASH}-9zr8t.bookinfo, from: {new_from}, traffic: [{{from: {new_from}, calls: 60}}]}}
          - name: UNKNOWN
            {unknown}
        """,
        "test",
    )


async def replay(b: Harness, success: str, run: Run = RUN, **block: Any) -> list[Measurement]:
    """Return all attempts of a measurement that begins with the run, resumed as Argo does."""
    metric = Metric("m", success, "", json.dumps(block).encode())
    steps = [await b.engine.run(metric, run, Deadline.after(10))]
    while not steps[-1].phase.completed:
        assert steps[-1].resume_at and len(steps) < 50  # noqa: PT018
        b.clock.set(steps[-1].resume_at)
        steps.append(await b.engine.resume(metric, run, steps[-1], Deadline.after(10)))
    return steps


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("block", "success"), FORMS)
async def test_shipped_scenario_promotes_the_healthy_canary(
    harness: HarnessFactory, block: dict[str, Any], success: str, version: str
) -> None:
    if version == "9.2.0" and "expression" in block:
        pytest.skip("OAP 9.2 has no expressions")
    async with harness(load_scenario("relabeled-pods"), version=version) as b:
        steps = await replay(b, success, **block)

    assert steps[-1].phase is Phase.SUCCESSFUL, steps[-1].message
    assert {step.phase for step in steps[:-1]} == {Phase.RUNNING}
    # 12:05 is the first minute without calls of the old pod; it has closed and settled at 12:07. OAP 9.2 needs two.
    assert steps[-1].finished_at == NOON.replace(minute=8 if version == "9.2.0" else 7, second=0)


@pytest.mark.parametrize(("block", "success"), FORMS)
@pytest.mark.parametrize("old_until", range(-5, 6))
async def test_calls_of_the_version_before_never_abort_a_rollout(
    harness: HarnessFactory, old_until: int, block: dict[str, Any], success: str
) -> None:
    """Let the old name's calls end before and after the start of the run."""
    async with harness(scenario(old_until=old_until)) as b:
        steps = await replay(b, success, **block)

    assert steps[-1].phase is Phase.SUCCESSFUL, steps[-1].message
    # The first whole minute of the new canary's own calls, or the one after the old calls.
    assert steps[-1].finished_at == NOON.replace(minute=max(3, old_until) + 2, second=0)


async def test_waiting_names_the_pods_and_the_calls_of_unknown(harness: HarnessFactory) -> None:
    async with harness(scenario(old_until=5)) as b:
        steps = await replay(b, "result >= 0.99", **RATE)

    assert steps[3].message == (
        "NO_DATA only pods of an earlier version have calls: reviews-6b5d9c7f8-h6pnw.bookinfo · UNKNOWN has 60 calls in"
        " these minutes: the OAP knows a new pod's name only after about 3 minutes · 12:01–12:02 +0000 · backend prod"
        " · waiting until 12:10:00 +0000"
    )


async def test_unknown_calls_are_named_if_nothing_has_the_canarys_name(harness: HarnessFactory) -> None:
    async with harness(scenario(old_until=-5)) as b:
        no_data = (await replay(b, "result >= 0.99", **RATE))[3]
    by_hash = {"sli": "success-rate", "window": "3m", "service": CANARY, "instances": {"podTemplateHash": HASH}}
    async with harness(scenario(old_until=0, new_from=3)) as b:
        b.clock.advance(150)
        not_found = (await replay(b, "result >= 0.99", **by_hash))[0]

    assert no_data.message.startswith("NO_DATA no value of service_sla in 1 bucket · UNKNOWN has 60 calls in these")
    assert not_found.message.startswith("ENTITY_NOT_FOUND instances: no instance of ")
    assert "· UNKNOWN has 60 calls in these minutes" in not_found.message


async def test_unknown_calls_are_named_if_the_canary_has_too_few(harness: HarnessFactory) -> None:
    async with harness(scenario(old_until=-5, new_from=2)) as b:
        steps = await replay(b, "result >= 0.99", **(RATE | {"minCalls": 100}))

    assert steps[4].message.startswith(
        "TOO_FEW_CALLS 60 calls, wanted 100 (minCalls) · UNKNOWN has 60 calls in these minutes: "
    )
    assert steps[-1].phase is Phase.SUCCESSFUL, steps[-1].message


async def test_bad_canary_is_failed_on_its_own_calls(harness: HarnessFactory) -> None:
    content = scenario(old_until=4).model_dump(by_alias=True)
    content["services"][0]["instances"][1]["traffic"][0]["failures"] = 6
    async with harness(Scenario.model_validate(content)) as b:
        steps = await replay(b, "result >= 0.99", **RATE)

    assert steps[-1].phase is Phase.FAILED
    assert steps[-1].message.startswith('CONDITION_NOT_MET success-rate 0.9, wanted "result >= 0.99" · 60 calls')


async def test_minutes_with_calls_of_both_versions_are_excluded(harness: HarnessFactory) -> None:
    """Let the old pod have calls for four minutes beside the new one, within a long window."""
    async with harness(scenario(old_until=4, new_from=1)) as b:
        b.clock.advance(9 * 60)
        steps = await replay(b, "result >= 0.99", **(RATE | {"window": "15m"}))

    assert (len(steps), steps[0].phase, steps[0].value) == (1, Phase.SUCCESSFUL, "1")


@pytest.mark.parametrize(
    ("run", "block", "service"),
    [
        ({}, {}, STABLE),
        ({}, {}, "ratings.bookinfo"),
        ({}, {}, "reviews.bookinfo"),
        ({"labels": {"rollout-type": "Step"}}, {}, CANARY),
        ({"owner_name": ""}, {}, CANARY),
        ({"owner_name": "details"}, {}, CANARY),
        ({"owner_name": "reviews-canary"}, {}, "reviews-canary.bookinfo"),
        ({"namespace": "canary"}, {}, "reviews.canary"),
        ({"owner_name": "a"}, {}, "canaryish|a"),
        ({}, {"earlierPods": "include"}, CANARY),
        ({}, {"since": "window"}, CANARY),
        ({}, {}, "canary-analysis.tools"),
    ],
)
async def test_other_services_are_measured_at_once(
    harness: HarnessFactory, run: dict[str, Any], block: dict[str, Any], service: str
) -> None:
    """Measure services whose pods legitimately are old: nothing must wait for new ones."""
    pod = "tools" if service == "canary-analysis.tools" else run.get("owner_name") or "reviews"
    pod = "reviews" if pod == "details" else pod
    content = parse_scenario(
        f"""
        services:
          - name: "{service}"
            instances: [{{name: {pod}-6b5d9c7f8-h6pnw.bookinfo, traffic: [{{calls: 60}}]}}]
        """,
        "test",
    )
    values = {name: getattr(RUN, name) for name in RUN.__slots__} | run
    async with harness(content) as b:
        steps = await replay(b, "result >= 0.99", Run(**values), **(RATE | {"service": service} | block))

    assert steps[-1].phase is Phase.SUCCESSFUL, steps[-1].message
    assert steps[-1].finished_at <= NOON + timedelta(minutes=2, seconds=40)  # the first minute of the run has closed


async def test_agents_services_are_measured_at_once(harness: HarnessFactory) -> None:
    async with harness(scenario(old_until=99, layer="GENERAL")) as b:
        steps = await replay(b, "result >= 0.7", **RATE)

    assert steps[-1].finished_at == NOON + timedelta(minutes=2, seconds=40), steps[-1].message


async def test_same_version_as_before_is_measured_at_once(harness: HarnessFactory) -> None:
    """Retry an aborted rollout, or roll back: the pods that existed before the run have its hash."""
    async with harness(scenario(old=f"reviews-{HASH}-2xkqz.bookinfo", old_until=99)) as b:
        steps = await replay(b, "result >= 0.7", **RATE)

    assert steps[-1].phase is Phase.SUCCESSFUL, steps[-1].message
    assert steps[-1].finished_at == NOON + timedelta(minutes=2, seconds=40)


async def test_wait_for_a_pod_that_keeps_the_name_for_ever_is_bounded(harness: HarnessFactory) -> None:
    """Let the calls of the old pod never end: from the fifth minute of the run on, they belong to the service."""
    async with harness(scenario(old_until=999, new_from=999)) as b:
        steps = await replay(b, "result >= 0.7", **RATE)

    assert steps[-1].phase is Phase.SUCCESSFUL, steps[-1].message
    assert steps[-1].finished_at == NOON.replace(minute=8, second=0)  # 12:06 is the first minute after 12:05:20
    assert steps[-1].finished_at < NOON.replace(minute=9, second=0)  # within the default maxWait


async def test_short_max_wait_ends_inconclusive_with_the_cause(harness: HarnessFactory) -> None:
    async with harness(scenario(old_until=5)) as b:
        steps = await replay(b, "result >= 0.99", **(RATE | {"maxWait": "2m"}))

    assert steps[-1].phase is Phase.INCONCLUSIVE
    assert steps[-1].message.startswith("NO_DATA only pods of an earlier version have calls: ")
    assert steps[-1].message.endswith("waited 2m (maxWait)")


async def test_other_labels_need_the_key(harness: HarnessFactory) -> None:
    content = scenario(old_until=4).model_dump(by_alias=True)
    content["services"][0]["name"] = "next|reviews|bookinfo"
    block = RATE | {"service": "next|reviews|bookinfo"}
    async with harness(Scenario.model_validate(content)) as b:
        without = await replay(b, "result >= 0.99", **block)
    async with harness(Scenario.model_validate(content)) as b:
        excluded = await replay(b, "result >= 0.99", **block, earlierPods="exclude")

    assert (without[-1].phase, excluded[-1].phase) == (Phase.FAILED, Phase.SUCCESSFUL)


async def test_comparison_sends_few_requests_and_none_later(harness: HarnessFactory) -> None:
    async with harness(scenario(old_until=-1, new_from=0)) as b:
        b.clock.advance(160)
        await replay(b, "result >= 0.99", **RATE)
        early = [request.body for request in b.oap.requests]
        b.clock.advance(7 * 60)
        b.oap.requests.clear()
        await replay(b, "result >= 0.99", **RATE)
        later = [request.body for request in b.oap.requests]

    assert sum("listInstances" in body for body in early) == 1
    assert sum("service_instance_cpm" in body for body in early) <= 1
    assert not any("listInstances" in body or "service_instance_cpm" in body for body in later)


async def test_oap_without_instance_metrics_is_measured_as_before(harness: HarnessFactory) -> None:
    async with harness(scenario(old_until=5, new_from=1)) as b:
        errors = {"data": None, "errors": [{"message": "no such metric"}]}
        b.oap.respond_with(json.dumps(errors), match="service_instance_cpm")
        steps = await replay(b, "result >= 0.7", **RATE)

    assert steps[-1].phase is Phase.SUCCESSFUL, steps[-1].message
