"""Version skew: the controller of the previous Argo Rollouts release with the same bridge."""

from tests.e2e.lab import Lab, ProgressReporter
from tests.e2e.manifests import analysis_with_count, rollout_with_analysis_step, start_rollout


def test_argo_rollouts_1_9_healthy_canary_is_promoted(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|skew|cluster-1|-"
    lab.feed_and_wait(service, "good")
    lab.stop("controller")
    try:
        lab.start("controller", "1.9")
        timeline = start_rollout(
            lab, "skew", rollout_with_analysis_step(service), analysis_with_count(3, "3s"), report_progress
        )
        end = timeline.wait_until_decided(180)
    finally:
        lab.stop("controller")
        lab.start("controller", "1.10")

    assert end.promoted
    assert end.phases == ["Successful"] * 3
