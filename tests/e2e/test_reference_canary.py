"""The reference rollout and analysis on the stock controller: promoted if healthy, rolled back if not."""

from tests.e2e.kubectl import Kubectl
from tests.e2e.lab import Lab, ProgressReporter, wait_for
from tests.e2e.manifests import reference_analysis, reference_rollout, start_rollout
from tests.e2e.rollout_timeline import DESTINATION_RULE, RUN


def test_reference_canary_healthy_is_promoted(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|bookinfo|cluster-1|-"  # the name in the reference manifests
    lab.feed_and_wait(service, "good")
    timeline = start_rollout(lab, "bookinfo", reference_rollout(service), reference_analysis(), report_progress)

    end = timeline.wait_until_decided(240)

    assert end.promoted
    assert not any(snapshot.aborted for snapshot in timeline.snapshots)
    assert [weight for weight in timeline.canary_weights if weight not in (0, 100)] == [10, 20, 40, 60, 80]
    assert end.weights == (100, 0)
    assert stable_subset(timeline.kubectl) == end.canary, "Istio's stable subset is not the new revision"
    done = [one for one in end.measurements if one.phase != "Running"]
    assert {one.phase for one in done} == {"Successful"}
    assert len(done) >= 3
    assert '"value":10000' in done[0].value


def test_reference_canary_bad_is_aborted_after_four_failed_measurements(
    lab: Lab, report_progress: ProgressReporter
) -> None:
    service = "canary|reviews|bookinfo-bad|cluster-1|-"
    lab.feed_and_wait(service, "bad")
    timeline = start_rollout(lab, "bookinfo-bad", reference_rollout(service), reference_analysis(), report_progress)

    end = timeline.wait_until_decided(240)

    assert end.rolled_back
    assert end.phases == ["Failed"] * 4, (
        "failureLimit is 3, so the fourth failure aborts and no fifth measurement starts"
    )
    assert '"value":8500' in end.measurements[0].value
    assert end.weights == (100, 0)
    assert end.stable == timeline.previous_stable
    assert stable_subset(timeline.kubectl) == timeline.previous_stable
    assert max(timeline.canary_weights) < 100
    [run] = timeline.kubectl.list([RUN])
    assert run["status"]["phase"] == "Failed"
    [result] = run["status"]["metricResults"]
    assert (result["failed"], result.get("error", 0), result.get("successful", 0)) == (4, 0, 0)
    wait_for(lambda: bool(lab.read_events(service)), 60, "the event of the service")
    [event] = lab.read_events(service)  # four measurements
    assert (event["type"], event["layer"], event["source"]["serviceInstance"]) == ("Error", "MESH", "")
    assert " Failed: CONDITION_NOT_MET" in event["message"]


def stable_subset(kubectl: Kubectl) -> str:
    """Return the revision that Istio's subset `stable` selects."""
    subsets = kubectl.get(DESTINATION_RULE, "reviews")["spec"]["subsets"]
    [stable] = [one for one in subsets if one["name"] == "stable"]
    revision: str = stable["labels"]["rollouts-pod-template-hash"]
    return revision
