"""What vanilla SkyWalking and Istio show: one service for all versions, a canary known by its pods; and silence.

Every sentence is played on real OAPs of three versions and zones, all rollouts at the same time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from e2e_kubectl import Object
from e2e_lab import Lab, Say
from e2e_oaps import VERSIONS, Oaps, backend_of
from e2e_scenes import begun, block_of, manifest, stepped_rollout, talk_analysis, talk_rollout, within
from e2e_stage import Played, Scene, side_by_side
from e2e_story import Story, Until


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scene plays: the cluster, the OAP that judges it, and a namespace of its own."""

    lab: Lab
    oap: Lab
    backend: str
    namespace: str
    say: Say

    @property
    def service(self) -> str:
        return f"reviews.{self.namespace}"

    def judged_here(self, template: Object) -> Object:
        for metric in template["spec"]["metrics"]:
            block = block_of(metric)
            block.pop("address", None)
            block["backend"] = self.backend
        return template

    def begun(self, rollout: Object, template: Object) -> Scene:
        return (yield from begun(self.lab, self.namespace, rollout, self.judged_here(template), self.say))


def hash_rollout(service: str) -> Object:
    rollout = stepped_rollout(service)
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


def pods(story: Story, pod_template_hash: str) -> str:
    """The names of the version's own pods, as the feeder's table writes them; empty while there are none."""
    found = story.kubectl.list(["pods"])
    names = [pod["metadata"]["name"] for pod in found if f"-{pod_template_hash}-" in pod["metadata"]["name"]]
    return ",".join(sorted(names))


def begun_by_hash(place: Place) -> Scene:
    """A rollout whose stable version has traffic, and whose canary has none yet."""
    [template] = manifest("hash-analysis.yaml")
    story = yield from place.begun(hash_rollout(place.service), template)
    place.oap.send(place.service, "good", pods(story, story.before))
    yield Until(story, lambda now: bool(pods(story, now.canary)), 60, "the canary's pods")
    return story


def good(place: Place) -> Scene:
    story = yield from begun_by_hash(place)
    place.oap.send(place.service, "good", pods(story, story.last.canary))
    yield story.decision(240)
    return story


def bad(place: Place) -> Scene:
    story = yield from begun_by_hash(place)
    place.oap.send(place.service, "bad", pods(story, story.last.canary))
    yield story.decision(240)
    return story


def late(place: Place) -> Scene:
    story = yield from begun_by_hash(place)
    yield Until(story, lambda now: "ENTITY_NOT_FOUND" in now.said, 90, "a measurement that waits for the canary's pods")
    yield story.passing(60, "a minute without traffic")
    assert story.last.phases == ["Running"]
    place.say("the canary's first traffic")
    place.oap.send(place.service, "good", pods(story, story.last.canary), calls=600, new=True)
    yield story.decision(240)
    return story


def silent(place: Place) -> Scene:
    template = talk_analysis()
    for metric in template["spec"]["metrics"]:
        block_of(metric)["maxWait"] = "10s"  # two minutes in a background run
    story = yield from place.begun(talk_rollout(place.service), template)
    yield Until(story, lambda now: "Inconclusive" in now.phases, 120, "an Inconclusive measurement")
    yield Until(story, lambda now: now.phase == "Paused", 30, "the rollout to pause")
    paused_at = story.last.weights
    yield story.passing(20, "the longest of the talk's pauses, divided")
    assert story.last.weights == paused_at, "no more weight was moved"
    return story


SCENES: tuple[Callable[[Place], Scene], ...] = (good, bad, late, silent)


@pytest.fixture(scope="module")
def played(lab: Lab, oaps: Oaps, say: Say) -> Played:
    def place(version: str, scene: str) -> Place:
        namespace = f"{scene}-{version}".replace(".", "-")
        return Place(lab, oaps.up(version), backend_of(version), namespace, within(say, f"{version} {scene}"))

    places = {(version, scene): place(version, scene.__name__) for version in VERSIONS for scene in SCENES}
    return side_by_side(
        lab.kubectl, {f"{version} {scene.__name__}": scene(places[version, scene]) for version, scene in places}
    )


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_canary_known_only_by_its_hash_is_promoted(played: Played, version: str) -> None:
    story = played.story(f"{version} good")

    assert story.last.promoted
    assert story.last.phases == ["Successful"] * 2
    assert story.last.measured[0].value == "1"


def test_a_bad_canary_known_only_by_its_hash_is_rejected_while_the_stable_version_is_well(
    played: Played, version: str
) -> None:
    end = played.story(f"{version} bad").last

    assert end.rolled_back
    assert end.phases == ["Failed"]
    assert end.said.startswith('CONDITION_NOT_MET success-rate 0.9, wanted "result >= 0.99"')
    assert f" of {end.canary} · " in end.said


def test_a_canary_whose_first_traffic_comes_a_minute_late_is_waited_for_and_promoted(
    played: Played, version: str
) -> None:
    story = played.story(f"{version} late")

    assert story.last.promoted
    assert story.last.phases == ["Successful"] * 2
    assert {phase for look in story.looks for phase in look.phases} == {"Running", "Successful"}


def test_a_background_run_without_any_data_pauses_the_rollout_and_moves_no_more_weight(
    played: Played, version: str
) -> None:
    story = played.story(f"{version} silent")

    assert "NO_DATA no value of service_apdex" in story.last.said
    assert story.last.phase == "Paused"
    assert not any(look.aborted for look in story.looks)
    assert 0 < story.last.weights[1] < 100
    assert "InconclusiveAnalysisRun" in story.pause_reasons()
