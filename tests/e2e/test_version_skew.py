"""The controller of the release before loads the same bridge."""

from tests.e2e.lab import Lab, ProgressReporter
from tests.e2e.manifests import analysis_with_count, rollout_with_analysis_step, start_rollout


def test_argo_rollouts_1_9_promotes_a_healthy_canary_with_the_same_bridge(
    lab: Lab, report_progress: ProgressReporter
) -> None:
    service = "canary|reviews|skew|cluster-1|-"
    lab.feed_and_wait(service, "good")
    lab.stop("controller")
    try:
        lab.start("controller", "1.9")
        story = start_rollout(
            lab, "skew", rollout_with_analysis_step(service), analysis_with_count(3, "3s"), report_progress
        )
        end = story.wait_until_decided(180)
    finally:
        lab.stop("controller")
        lab.start("controller", "1.10")

    assert end.promoted
    assert end.phases == ["Successful"] * 3
