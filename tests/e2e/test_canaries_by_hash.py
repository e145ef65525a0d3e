"""Canaries selected by their pod template hash, in the data of an unmodified SkyWalking and Istio.

Stable version and canary are one service there. All scenarios run at the same time, each on real OAPs of three versions
and time zones.
"""

import json
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.e2e.environment import Environment, pod_names
from tests.e2e.kubectl import Object
from tests.e2e.lab import Lab, ProgressReporter, wait_for
from tests.e2e.manifests import (
    get_block,
    load_manifest,
    reference_analysis,
    reference_rollout,
    rollout_with_analysis_step,
)
from tests.e2e.oap_pool import VERSIONS, OapPool
from tests.e2e.parallel_rollouts import RolloutScenario, ScenarioResults, run_in_parallel
from tests.e2e.rollout_timeline import RUN, WaitCondition


def hash_rollout(service: str) -> Object:
    rollout = rollout_with_analysis_step(service)
    for step in rollout["spec"]["strategy"]["canary"]["steps"]:
        if "analysis" in step:
            step["analysis"] = {
                "templates": [{"templateName": "success-rate"}],
                "args": [
                    {"name": "service-name", "value": service},
                    {"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
                ],
            }
    return rollout


def start_by_hash(environment: Environment, manifest: str = "hash-analysis.yaml") -> RolloutScenario:
    """Start a rollout whose stable version has traffic and whose canary has none yet."""
    [template] = load_manifest(manifest)
    timeline = yield from environment.start(hash_rollout(environment.service), template)
    environment.oap.add_traffic(environment.service, "good", pod_names(timeline, timeline.previous_stable))
    yield WaitCondition(timeline, lambda now: bool(pod_names(timeline, now.canary)), 60, "the canary's pods")
    return timeline


def healthy_canary(environment: Environment) -> RolloutScenario:
    timeline = yield from start_by_hash(environment)
    environment.oap.add_traffic(environment.service, "good", pod_names(timeline, timeline.last.canary))
    yield timeline.decision_condition(240)
    return timeline


def bad_canary(environment: Environment) -> RolloutScenario:
    timeline = yield from start_by_hash(environment)
    environment.oap.add_traffic(environment.service, "bad", pod_names(timeline, timeline.last.canary))
    yield timeline.decision_condition(240)
    return timeline


def delayed_traffic(environment: Environment) -> RolloutScenario:
    timeline = yield from start_by_hash(environment)
    yield WaitCondition(
        timeline,
        lambda now: "ENTITY_NOT_FOUND" in now.last_message,
        90,
        "a measurement that waits for the canary's pods",
    )
    yield timeline.elapsed_condition(60, "a minute without traffic")
    assert timeline.last.phases == ["Running"]
    environment.report_progress("first traffic of the canary")
    environment.oap.add_traffic(
        environment.service, "good", pod_names(timeline, timeline.last.canary), calls=600, new=True
    )
    yield timeline.decision_condition(240)
    return timeline


def no_data(environment: Environment) -> RolloutScenario:
    template = reference_analysis()
    for metric in template["spec"]["metrics"]:
        get_block(metric)["maxWait"] = "10s"  # two minutes in a background run
    timeline = yield from environment.start(reference_rollout(environment.service), template)
    yield WaitCondition(timeline, lambda now: "Inconclusive" in now.phases, 120, "an Inconclusive measurement")
    yield WaitCondition(timeline, lambda now: now.phase == "Paused", 30, "the rollout to pause")
    paused_at = timeline.last.weights
    yield timeline.elapsed_condition(20, "the longest pause of the reference rollout, divided")
    assert timeline.last.weights == paused_at, "the weight changed while the rollout was paused"
    return timeline


def alarming_canary(environment: Environment) -> RolloutScenario:
    """Start a canary that an alarm rule of the OAP judges, and fail some of its calls."""
    timeline = yield from start_by_hash(environment, "alarms-analysis.yaml")
    environment.oap.add_traffic(environment.service, "bad", pod_names(timeline, timeline.last.canary))
    yield timeline.decision_condition(240)
    return timeline


SCENARIOS: tuple[Callable[[Environment], RolloutScenario], ...] = (healthy_canary, bad_canary, delayed_traffic, no_data)


ALARM_VERSIONS = ("10.1.0", "9.6.0")
"""OAPs of the lab with alarm rules."""


@pytest.fixture(scope="module")
def results(lab: Lab, oap_pool: OapPool, report_progress: ProgressReporter) -> ScenarioResults:
    scenarios = {
        f"{version} {scenario.__name__}": scenario(
            Environment.create(lab, oap_pool, version, scenario.__name__, report_progress)
        )
        for version in VERSIONS
        for scenario in SCENARIOS
    } | {
        f"{version} {alarming_canary.__name__}": alarming_canary(
            Environment.create(lab, oap_pool, version, alarming_canary.__name__, report_progress)
        )
        for version in ALARM_VERSIONS
    }
    return run_in_parallel(lab.kubectl, scenarios)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_healthy_canary_selected_by_hash_is_promoted(results: ScenarioResults, version: str) -> None:
    timeline = results.timeline(f"{version} healthy_canary")

    assert timeline.last.promoted
    assert timeline.last.phases == ["Successful"] * 2
    assert timeline.last.measurements[0].value == "1"


def test_bad_canary_selected_by_hash_is_rolled_back(results: ScenarioResults, version: str) -> None:
    end = results.timeline(f"{version} bad_canary").last

    assert end.rolled_back
    assert end.phases == ["Failed"]
    assert end.last_message.startswith('CONDITION_NOT_MET success-rate 0.9, wanted "result >= 0.99"')
    assert f" of {end.canary} · " in end.last_message


@pytest.mark.parametrize("version", ALARM_VERSIONS)
def test_canary_whose_alarm_fires_is_rolled_back(results: ScenarioResults, version: str) -> None:
    end = results.timeline(f"{version} alarming_canary").last

    assert end.rolled_back
    assert end.phases[-1] == "Failed"
    assert end.last_message.startswith("ALARM_FIRED Alarm caused by Rule instance_success_rule at ")
    assert f" of {end.canary} · " in end.last_message
    result = json.loads(end.measurements[-1].value)
    assert result["rules"] == ["instance_success_rule"]
    assert (result["firing"] > 0, result["fired"] > 0, result["recovered"]) == (True, True, 0)


def test_canary_with_delayed_traffic_waits_and_is_promoted(results: ScenarioResults, version: str) -> None:
    timeline = results.timeline(f"{version} delayed_traffic")

    assert timeline.last.promoted
    assert timeline.last.phases == ["Successful"] * 2
    assert {phase for snapshot in timeline.snapshots for phase in snapshot.phases} == {"Running", "Successful"}


def test_background_analysis_without_data_pauses_rollout_and_keeps_weight(
    results: ScenarioResults, version: str
) -> None:
    timeline = results.timeline(f"{version} no_data")

    assert "NO_DATA no value of service_apdex" in timeline.last.last_message
    assert timeline.last.phase == "Paused"
    assert not any(snapshot.aborted for snapshot in timeline.snapshots)
    assert 0 < timeline.last.weights[1] < 100
    assert "InconclusiveAnalysisRun" in timeline.pause_reasons()


@pytest.mark.parametrize(
    ("version", "scenario", "kind", "message"),
    [
        ("10.1.0", "healthy_canary", "Normal", "success-rate Successful: 1"),
        ("10.1.0", "bad_canary", "Error", "success-rate Failed: CONDITION_NOT_MET success-rate 0.9, wanted"),
        ("9.6.0", "bad_canary", "Error", "success-rate Failed: CONDITION_NOT_MET success-rate 0.9, wanted"),
    ],
)
def test_events_of_a_rollout_are_read_back_from_the_oap(
    results: ScenarioResults, oap_pool: OapPool, version: str, scenario: str, kind: str, message: str
) -> None:
    timeline = results.timeline(f"{version} {scenario}")
    [run] = timeline.kubectl.list([RUN])
    [metric] = run["status"]["metricResults"]
    service = f"reviews.{run['metadata']['namespace']}"
    oap = oap_pool.ensure_running(version)

    wait_for(lambda: bool(oap.read_events(service)), 60, f"events of {service} in OAP {version}")
    finished_at = parse_seconds(metric["measurements"][-1]["finishedAt"])
    wait_for(
        lambda: {one["endTime"] // 1000 for one in oap.read_events(service)} == {finished_at}, 60, "the last event"
    )
    events = oap.read_events(service)

    hash_of_run = run["metadata"]["labels"]["rollouts-pod-template-hash"]
    instances = [one["source"]["serviceInstance"] for one in events]
    assert len(set(instances)) == len(events) == len({one["uuid"] for one in events})
    assert all(f"-{hash_of_run}-" in instance for instance in instances)
    for event in events:
        assert (event["name"], event["type"], event["layer"]) == ("AnalysisRun", kind, "MESH")
        assert event["message"].startswith(message)
        assert event["startTime"] == 1000 * parse_seconds(run["metadata"]["creationTimestamp"])
        parameters = {one["key"]: one["value"] for one in event["parameters"]}
        assert parameters["analysisRun"] == run["metadata"]["name"]
        assert parameters["namespace"] == run["metadata"]["namespace"]
        assert (parameters["rollout"], parameters["podTemplateHash"]) == ("reviews", hash_of_run)
        assert parameters["value"] == metric["measurements"][-1]["value"]


def parse_seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())
