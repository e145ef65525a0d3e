"""The controller of the release before loads the same bridge."""

from e2e_lab import Lab, Say
from e2e_scenes import begin, counted_analysis, stepped_rollout


def test_argo_rollouts_1_9_promotes_a_healthy_canary_with_the_same_bridge(lab: Lab, say: Say) -> None:
    service = "canary|reviews|skew|cluster-1|-"
    lab.feed(service, "good")
    lab.stop("controller")
    try:
        lab.start("controller", "1.9")
        story = begin(lab, "skew", stepped_rollout(service), counted_analysis(3, "3s"), say)
        end = story.decided(180)
    finally:
        lab.stop("controller")
        lab.start("controller", "1.10")

    assert end.promoted
    assert end.phases == ["Successful"] * 3
