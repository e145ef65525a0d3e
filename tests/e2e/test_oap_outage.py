"""Outage of an OAP during four rollouts: it is killed and restarted after three minutes of 10 s each.

Two rollouts allow five minutes of outage, two allow one. In each pair, one waits in a step for its analysis and one has
a background analysis. OAP's own minutes cannot be shortened, so the windows are three real minutes.
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

pytestmark = pytest.mark.timeout(900)  # the OAP starts again, which takes minutes on a busy machine

FACTOR = 6
MINUTE = 60 / FACTOR
COUNT = 6
"""Measurements of the analysis in a step, one per minute."""
FIRST_WEIGHT = 25
OAP_START_SECONDS = 4
"""Minimum start time of an OAP. It is restarted this long before the end of the outage."""

LONG_GRACE, SHORT_GRACE = "5m", "1m"


@dataclass(frozen=True, slots=True)
class Outage:
    """Timelines of the four rollouts, and the duration of the outage in seconds."""

    seconds: float
    timelines: dict[str, RolloutTimeline]


def build_template(interval: str, grace: str, count: int | None) -> Object:
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

    def start(name: str, grace: str) -> RolloutTimeline:
        in_a_step = name.startswith("step")
        template = build_template(interval, grace, COUNT if in_a_step else None)
        rollout = rollout_with_analysis_step(service) if in_a_step else background_rollout(service, FACTOR)
        return start_rollout(lab, f"outage-{name}", rollout, template, prefix_progress(report_progress, name))

    graces = {
        f"{kind}-{word}": grace
        for word, grace in (("long-grace", LONG_GRACE), ("short-grace", SHORT_GRACE))
        for kind in ("step", "background")
    }
    timelines = {name: start(name, grace) for name, grace in graces.items()}
    all_four = list(timelines.values())
    with_long_grace = [timeline for name, timeline in timelines.items() if graces[name] == LONG_GRACE]
    with_short_grace = [timeline for name, timeline in timelines.items() if graces[name] == SHORT_GRACE]
    wait_for_all(all_four, lambda: all("Successful" in one.last.phases for one in all_four), 60, "first measurements")

    report_progress("kill OAP")
    oap.kill("oap")
    killed_at = time.monotonic()
    restart_at = killed_at + 3 * MINUTE - OAP_START_SECONDS
    wait_for_all(
        all_four,
        lambda: (
            time.monotonic() > restart_at
            and all("OAP_UNAVAILABLE" in one.last.last_message for one in all_four)
            and all(one.last.phase == "Paused" for one in with_short_grace)
        ),
        4 * MINUTE,
        "OAP_UNAVAILABLE in all four rollouts and a pause of two",
    )
    oap.start("oap")
    seconds = time.monotonic() - killed_at
    report_progress(f"OAP was unavailable for {seconds:.0f} s")
    wait_for_all(all_four, lambda: all(one.last.promoted for one in with_long_grace), 360, "two promotions")
    oap_pool.stop(RESTARTED_OAP)
    return Outage(seconds, timelines)


def observed_phases(timeline: RolloutTimeline) -> set[str]:
    """Return all phases of all measurements in all snapshots."""
    return {phase for snapshot in timeline.snapshots for phase in snapshot.phases}


def is_waiting(snapshot: RolloutSnapshot) -> bool:
    return "Running" in snapshot.phases


def test_outage_within_grace_delays_rollout_with_analysis_step(outage: Outage) -> None:
    timeline = outage.timelines["step-long-grace"]

    assert outage.seconds >= 3 * MINUTE
    assert observed_phases(timeline) == {"Running", "Successful"}
    assert timeline.last.phases == ["Successful"] * COUNT
    assert not any(snapshot.aborted for snapshot in timeline.snapshots)
    assert {snapshot.weights[1] for snapshot in timeline.snapshots if is_waiting(snapshot)} == {FIRST_WEIGHT}
    assert all(
        len(snapshot.measurements) == COUNT
        for snapshot in timeline.snapshots
        if FIRST_WEIGHT < snapshot.weights[1] < 100
    )
    assert timeline.last.promoted


def test_outage_within_grace_delays_rollout_with_background_analysis(outage: Outage) -> None:
    timeline = outage.timelines["background-long-grace"]

    assert observed_phases(timeline) == {"Running", "Successful"}
    assert not any(snapshot.aborted for snapshot in timeline.snapshots)
    assert timeline.last.promoted


@pytest.mark.parametrize("kind", ["step", "background"])
def test_outage_beyond_grace_pauses_rollout_without_rollback(outage: Outage, kind: str) -> None:
    timeline = outage.timelines[f"{kind}-short-grace"]

    assert observed_phases(timeline) == {"Running", "Successful", "Inconclusive"}
    assert "OAP_UNAVAILABLE" in timeline.last.last_message
    assert "unavailable for 10s (outageGrace)" in timeline.last.last_message
    assert timeline.last.phase == "Paused"
    assert timeline.pause_reasons() == ["InconclusiveAnalysisRun"]
    assert not any(snapshot.aborted for snapshot in timeline.snapshots)
    assert max(timeline.canary_weights) == timeline.last.weights[1] == FIRST_WEIGHT, (
        "the weight changed after the pause"
    )
