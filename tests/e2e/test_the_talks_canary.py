"""The talk's rollout and analysis on the stock controller: promoted when healthy, rolled back when not."""

from e2e_kubectl import Kubectl
from e2e_lab import Lab, Say
from e2e_scenes import begin, talk_analysis, talk_rollout
from e2e_story import DESTINATION_RULE, RUN


def test_a_healthy_canary_reaches_100(lab: Lab, say: Say) -> None:
    service = "canary|reviews|bookinfo|cluster-1|-"  # the talk's own name
    lab.feed(service, "good")
    story = begin(lab, "bookinfo", talk_rollout(service), talk_analysis(), say)

    end = story.decided(240)

    assert end.promoted
    assert not any(look.aborted for look in story.looks)
    assert [weight for weight in story.canary_weights if weight not in (0, 100)] == [10, 20, 40, 60, 80]
    assert end.weights == (100, 0)
    assert stable_subset(story.kubectl) == end.canary, "Istio's stable subset is the new revision: it has all traffic"
    done = [one for one in end.measured if one.phase != "Running"]
    assert {one.phase for one in done} == {"Successful"}
    assert len(done) >= 3
    assert '"value":10000' in done[0].value


def test_a_bad_canary_is_aborted_after_exactly_four_failed_measurements(lab: Lab, say: Say) -> None:
    service = "canary|reviews|bookinfo-bad|cluster-1|-"
    lab.feed(service, "bad")
    story = begin(lab, "bookinfo-bad", talk_rollout(service), talk_analysis(), say)

    end = story.decided(240)

    assert end.rolled_back
    assert end.phases == ["Failed"] * 4, "failureLimit 3: the fourth is one too many, and there is no fifth"
    assert '"value":8500' in end.measured[0].value
    assert end.weights == (100, 0)
    assert end.stable == story.before
    assert stable_subset(story.kubectl) == story.before
    assert max(story.canary_weights) < 100
    [run] = story.kubectl.list([RUN])
    assert run["status"]["phase"] == "Failed"
    [result] = run["status"]["metricResults"]
    assert (result["failed"], result.get("error", 0), result.get("successful", 0)) == (4, 0, 0)


def stable_subset(kubectl: Kubectl) -> str:
    """The revision that Istio's subset `stable` selects."""
    subsets = kubectl.get(DESTINATION_RULE, "reviews")["spec"]["subsets"]
    [stable] = [one for one in subsets if one["name"] == "stable"]
    revision: str = stable["labels"]["rollouts-pod-template-hash"]
    return revision
