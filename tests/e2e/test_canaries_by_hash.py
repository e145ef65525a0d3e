"""What vanilla SkyWalking and Istio show: one service for all versions, a canary known by its pods; and silence.

Every sentence is played on real OAPs of three versions and zones, all rollouts at the same time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e.kubectl import Object
from tests.e2e.lab import Lab, ProgressReporter
from tests.e2e.manifests import (
    get_block,
    load_manifest,
    prefix_progress,
    reference_analysis,
    reference_rollout,
    rollout_scenario,
    rollout_with_analysis_step,
)
from tests.e2e.oap_pool import VERSIONS, OapPool, backend_name
from tests.e2e.parallel_rollouts import RolloutScenario, ScenarioResults, run_in_parallel
from tests.e2e.rollout_timeline import RolloutTimeline, WaitCondition


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scene plays: the cluster, the OAP that judges it, and a namespace of its own."""

    lab: Lab
    oap: Lab
    backend: str
    namespace: str
    say: ProgressReporter

    @property
    def service(self) -> str:
        return f"reviews.{self.namespace}"

    def judged_here(self, template: Object) -> Object:
        for metric in template["spec"]["metrics"]:
            block = get_block(metric)
            block.pop("address", None)
            block["backend"] = self.backend
        return template

    def begun(self, rollout: Object, template: Object) -> RolloutScenario:
        return (yield from rollout_scenario(self.lab, self.namespace, rollout, self.judged_here(template), self.say))


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


def pods(story: RolloutTimeline, pod_template_hash: str) -> str:
    """The names of the version's own pods, as the feeder's table writes them; empty while there are none."""
    found = story.kubectl.list(["pods"])
    names = [pod["metadata"]["name"] for pod in found if f"-{pod_template_hash}-" in pod["metadata"]["name"]]
    return ",".join(sorted(names))


def begun_by_hash(place: Place) -> RolloutScenario:
    """A rollout whose stable version has traffic, and whose canary has none yet."""
    [template] = load_manifest("hash-analysis.yaml")
    story = yield from place.begun(hash_rollout(place.service), template)
    place.oap.add_traffic(place.service, "good", pods(story, story.previous_stable))
    yield WaitCondition(story, lambda now: bool(pods(story, now.canary)), 60, "the canary's pods")
    return story


def good(place: Place) -> RolloutScenario:
    story = yield from begun_by_hash(place)
    place.oap.add_traffic(place.service, "good", pods(story, story.last.canary))
    yield story.decision_condition(240)
    return story


def bad(place: Place) -> RolloutScenario:
    story = yield from begun_by_hash(place)
    place.oap.add_traffic(place.service, "bad", pods(story, story.last.canary))
    yield story.decision_condition(240)
    return story


def late(place: Place) -> RolloutScenario:
    story = yield from begun_by_hash(place)
    yield WaitCondition(
        story, lambda now: "ENTITY_NOT_FOUND" in now.last_message, 90, "a measurement that waits for the canary's pods"
    )
    yield story.elapsed_condition(60, "a minute without traffic")
    assert story.last.phases == ["Running"]
    place.say("the canary's first traffic")
    place.oap.add_traffic(place.service, "good", pods(story, story.last.canary), calls=600, new=True)
    yield story.decision_condition(240)
    return story


def silent(place: Place) -> RolloutScenario:
    template = reference_analysis()
    for metric in template["spec"]["metrics"]:
        get_block(metric)["maxWait"] = "10s"  # two minutes in a background run
    story = yield from place.begun(reference_rollout(place.service), template)
    yield WaitCondition(story, lambda now: "Inconclusive" in now.phases, 120, "an Inconclusive measurement")
    yield WaitCondition(story, lambda now: now.phase == "Paused", 30, "the rollout to pause")
    paused_at = story.last.weights
    yield story.elapsed_condition(20, "the longest of the talk's pauses, divided")
    assert story.last.weights == paused_at, "no more weight was moved"
    return story


SCENES: tuple[Callable[[Place], RolloutScenario], ...] = (good, bad, late, silent)


@pytest.fixture(scope="module")
def played(lab: Lab, oap_pool: OapPool, report_progress: ProgressReporter) -> ScenarioResults:
    def place(version: str, scene: str) -> Place:
        namespace = f"{scene}-{version}".replace(".", "-")
        return Place(
            lab,
            oap_pool.ensure_running(version),
            backend_name(version),
            namespace,
            prefix_progress(report_progress, f"{version} {scene}"),
        )

    places = {(version, scene): place(version, scene.__name__) for version in VERSIONS for scene in SCENES}
    return run_in_parallel(
        lab.kubectl, {f"{version} {scene.__name__}": scene(places[version, scene]) for version, scene in places}
    )


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_canary_known_only_by_its_hash_is_promoted(played: ScenarioResults, version: str) -> None:
    story = played.timeline(f"{version} good")

    assert story.last.promoted
    assert story.last.phases == ["Successful"] * 2
    assert story.last.measurements[0].value == "1"


def test_a_bad_canary_known_only_by_its_hash_is_rejected_while_the_stable_version_is_well(
    played: ScenarioResults, version: str
) -> None:
    end = played.timeline(f"{version} bad").last

    assert end.rolled_back
    assert end.phases == ["Failed"]
    assert end.last_message.startswith('CONDITION_NOT_MET success-rate 0.9, wanted "result >= 0.99"')
    assert f" of {end.canary} · " in end.last_message


def test_a_canary_whose_first_traffic_comes_a_minute_late_is_waited_for_and_promoted(
    played: ScenarioResults, version: str
) -> None:
    story = played.timeline(f"{version} late")

    assert story.last.promoted
    assert story.last.phases == ["Successful"] * 2
    assert {phase for look in story.snapshots for phase in look.phases} == {"Running", "Successful"}


def test_a_background_run_without_any_data_pauses_the_rollout_and_moves_no_more_weight(
    played: ScenarioResults, version: str
) -> None:
    story = played.timeline(f"{version} silent")

    assert "NO_DATA no value of service_apdex" in story.last.last_message
    assert story.last.phase == "Paused"
    assert not any(look.aborted for look in story.snapshots)
    assert 0 < story.last.weights[1] < 100
    assert "InconclusiveAnalysisRun" in story.pause_reasons()
