"""What vanilla SkyWalking and Istio show: one service for all versions, a canary known by its pods; and silence."""

import time

from e2e_kubectl import Object
from e2e_lab import Lab, Say
from e2e_scenes import begin, manifest, stepped_rollout, talk_analysis, talk_rollout
from e2e_story import ROLLOUT, Story


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
    """The names of the version's own pods, as the feeder's table writes them."""
    found = story.kubectl.list(["pods"])
    names = [pod["metadata"]["name"] for pod in found if f"-{pod_template_hash}-" in pod["metadata"]["name"]]
    assert names, f"no pod carries {pod_template_hash}"
    return ",".join(sorted(names))


def begun(lab: Lab, say: Say, namespace: str) -> tuple[Story, str]:
    """A rollout whose stable version has traffic, and whose canary has none yet."""
    service = f"reviews.{namespace}"
    [template] = manifest("hash-analysis.yaml")
    story = begin(lab, namespace, hash_rollout(service), template, say)
    lab.feed(service, "good", pods(story, story.before))
    return story, service


def test_a_canary_known_only_by_its_hash_is_promoted_though_its_traffic_comes_a_minute_late(lab: Lab, say: Say) -> None:
    story, service = begun(lab, say, "by-hash")
    waiting = story.until(lambda now: "Running" in now.phases, 60, "a measurement that waits for the canary's pods")
    assert "ENTITY_UNKNOWN" in waiting.measured[-1].message
    late = time.monotonic() + 60
    story.until(lambda _: time.monotonic() > late, 90, "a minute to pass")
    assert "Error" not in story.last.phases

    say("the canary's first traffic")
    lab.feed(service, "good", pods(story, story.last.canary))
    end = story.decided(240)

    assert end.promoted
    assert end.phases == ["Successful"] * 2
    assert end.measured[0].value == "1"


def test_a_bad_canary_known_only_by_its_hash_is_rejected_while_the_stable_version_is_well(lab: Lab, say: Say) -> None:
    story, service = begun(lab, say, "by-hash-bad")
    lab.feed(service, "bad", pods(story, story.last.canary))

    end = story.decided(240)

    assert end.rolled_back
    assert end.phases == ["Failed"]
    assert end.measured[0].message.startswith('CONDITION_NOT_MET success-rate 0.9, wanted "result >= 0.99"')
    assert f" of {end.canary} · " in end.measured[0].message


def test_a_background_run_without_any_data_pauses_the_rollout_and_moves_no_more_weight(lab: Lab, say: Say) -> None:
    template = talk_analysis()
    for metric in template["spec"]["metrics"]:
        metric["provider"]["plugin"]["skywalking/metrics"]["maxWait"] = "10s"  # two minutes in a background run
    story = begin(lab, "silent", talk_rollout("canary|reviews|silent|cluster-1|-"), template, say)

    end = story.until(lambda now: "Inconclusive" in now.phases, 120, "an Inconclusive measurement")
    paused = story.until(lambda now: now.phase == "Paused", 30, "the rollout to pause")

    assert "NO_DATA no value of service_apdex" in end.measured[-1].message
    assert not paused.aborted
    weight = paused.weights[1]
    assert 0 < weight < 100
    reasons = [one["reason"] for one in story.kubectl.get(ROLLOUT, story.rollout)["status"]["pauseConditions"]]
    assert "InconclusiveAnalysisRun" in reasons
    stays = time.monotonic() + 20  # the longest of the talk's pauses, divided, is as long
    story.until(lambda _: time.monotonic() > stays, 60, "the time of another step")
    assert story.last.weights[1] == weight
