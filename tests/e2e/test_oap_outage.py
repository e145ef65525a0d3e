"""An OAP is killed in the middle of four rollouts and comes back after three minutes, of ten seconds each.

Two allow for five minutes of outage, two for one; of each pair, one waits in a step for its analysis, and one is
watched in the background. OAP's own minutes cannot be made shorter: the windows are three real ones.
"""

import time
from dataclasses import dataclass

import pytest

from tests.e2e.kubectl import Object
from tests.e2e.lab import Lab, ProgressReporter
from tests.e2e.manifests import (
    analysis_with_count,
    background_rollout,
    divide_duration,
    get_block,
    prefix_progress,
    reference_analysis,
    rollout_with_analysis_step,
    start_rollout,
)
from tests.e2e.oap_pool import RESTARTED_OAP, OapPool, backend_name
from tests.e2e.rollout_timeline import RolloutSnapshot, RolloutTimeline, wait_for_all

FACTOR = 6
MINUTE = 60 / FACTOR
COUNT = 6
"""Measurements of the analysis in a step, one a minute."""
FIRST_WEIGHT = 25
BOOT = 4
"""Seconds that an OAP needs at least to start: so much before its outage is long enough, it is started."""

PATIENT, IMPATIENT = "5m", "1m"


@dataclass(frozen=True, slots=True)
class Outage:
    """What happened to the four rollouts, and how long OAP was away, in seconds."""

    seconds: float
    stories: dict[str, RolloutTimeline]


def analysis(interval: str, grace: str, count: int | None) -> Object:
    template = reference_analysis() if count is None else analysis_with_count(count, interval)
    for metric in template["spec"]["metrics"]:
        metric["interval"] = interval
        block = get_block(metric)
        del block["address"]
        block |= {"backend": backend_name(RESTARTED_OAP), "outageGrace": divide_duration(grace, FACTOR)}
    return template


@pytest.fixture(scope="module")
def outage(lab: Lab, oap_pool: OapPool, report_progress: ProgressReporter) -> Outage:
    oap = oap_pool.ensure_running(RESTARTED_OAP)
    service, interval = "canary|reviews|outage|cluster-1|-", divide_duration("1m", FACTOR)
    oap.feed_and_wait(service, "good")

    def rollout(name: str, grace: str) -> RolloutTimeline:
        in_a_step = name.startswith("step")
        template = analysis(interval, grace, COUNT if in_a_step else None)
        scene = rollout_with_analysis_step(service) if in_a_step else background_rollout(service, FACTOR)
        return start_rollout(lab, f"outage-{name}", scene, template, prefix_progress(report_progress, name))

    graces = {
        f"{kind}-{word}": grace
        for word, grace in (("patient", PATIENT), ("impatient", IMPATIENT))
        for kind in ("step", "background")
    }
    stories = {name: rollout(name, grace) for name, grace in graces.items()}
    all_of = list(stories.values())
    patient = [story for name, story in stories.items() if graces[name] == PATIENT]
    impatient = [story for name, story in stories.items() if graces[name] == IMPATIENT]
    wait_for_all(all_of, lambda: all("Successful" in story.last.phases for story in all_of), 60, "first measurements")

    report_progress("killing OAP")
    oap.kill("oap")
    killed = time.monotonic()
    long_enough = killed + 3 * MINUTE - BOOT
    wait_for_all(
        all_of,
        lambda: (
            time.monotonic() > long_enough
            and all("OAP_UNAVAILABLE" in story.last.last_message for story in all_of)
            and all(story.last.phase == "Paused" for story in impatient)
        ),
        4 * MINUTE,
        "all four to notice the outage, and two to pause",
    )
    oap.start("oap")
    seconds = time.monotonic() - killed
    report_progress(f"OAP was away for {seconds:.0f} s")
    wait_for_all(all_of, lambda: all(story.last.promoted for story in patient), 180, "two promotions")
    oap_pool.stop(RESTARTED_OAP)
    return Outage(seconds, stories)


def phases_seen(story: RolloutTimeline) -> set[str]:
    """All phases that any measurement had at any time."""
    return {phase for look in story.snapshots for phase in look.phases}


def waits(look: RolloutSnapshot) -> bool:
    return "Running" in look.phases


def test_an_outage_of_three_minutes_is_survived_by_a_rollout_whose_step_waits_for_its_analysis(outage: Outage) -> None:
    story = outage.stories["step-patient"]

    assert outage.seconds >= 3 * MINUTE
    assert phases_seen(story) == {"Running", "Successful"}
    assert story.last.phases == ["Successful"] * COUNT
    assert not any(look.aborted for look in story.snapshots)
    assert {look.weights[1] for look in story.snapshots if waits(look)} == {FIRST_WEIGHT}
    assert all(len(look.measurements) == COUNT for look in story.snapshots if FIRST_WEIGHT < look.weights[1] < 100)
    assert story.last.promoted


def test_an_outage_of_three_minutes_is_survived_by_a_rollout_that_is_watched_in_the_background(outage: Outage) -> None:
    story = outage.stories["background-patient"]

    assert phases_seen(story) == {"Running", "Successful"}
    assert not any(look.aborted for look in story.snapshots)
    assert story.last.promoted


@pytest.mark.parametrize("kind", ["step", "background"])
def test_an_outage_longer_than_the_grace_pauses_the_rollout_and_never_rolls_it_back(outage: Outage, kind: str) -> None:
    story = outage.stories[f"{kind}-impatient"]

    assert phases_seen(story) == {"Running", "Successful", "Inconclusive"}
    assert "OAP_UNAVAILABLE" in story.last.last_message
    assert "away for 10s (outageGrace)" in story.last.last_message
    assert story.last.phase == "Paused"
    assert story.pause_reasons() == ["InconclusiveAnalysisRun"]
    assert not any(look.aborted for look in story.snapshots)
    assert max(story.canary_weights) == story.last.weights[1] == FIRST_WEIGHT, (
        "its weight stayed, also when OAP was back"
    )
