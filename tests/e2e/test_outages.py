"""Our parts die under a running analysis: the rollout does not pay for it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.lab import Lab, ProgressReporter, wait_for
from tests.e2e.manifests import (
    analysis_with_count,
    build_analysis_run,
    rollout_with_analysis_step,
    start_rollout,
)
from tests.e2e.rollout_timeline import RUN, MetricMeasurement, RolloutSnapshot, parse_measurements


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that hangs meanwhile: its sockets are open, and nobody answers."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def successes(look: RolloutSnapshot) -> int:
    return look.phases.count("Successful")


def test_a_sidecar_killed_and_restarted_does_not_abort_the_rollout(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|sidecar-away|cluster-1|-"
    lab.feed_and_wait(service, "good")
    story = start_rollout(
        lab, "sidecar-away", rollout_with_analysis_step(service), analysis_with_count(4, "5s"), report_progress
    )
    story.wait_until(lambda now: successes(now) >= 1, 60, "a first measurement")

    report_progress("killing the sidecar")
    lab.kill("sidecar")
    waiting = story.wait_until(lambda now: "Running" in now.phases, 60, "a measurement that waits for the sidecar")
    assert waiting.measurements[-1].message, "a waiting measurement says for what"
    lab.start("sidecar")
    end = story.wait_until_decided(180)

    assert end.promoted
    assert end.phases == ["Successful"] * 4, "the measurement that waited ended well too"
    assert not any(look.aborted for look in story.snapshots)
    assert "Paused" not in [look.phase for look in story.snapshots if successes(look) < 4], "nothing was inconclusive"


def test_a_plugin_process_killed_between_measurements_is_replaced(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|plugin-killed|cluster-1|-"
    lab.feed_and_wait(service, "good")
    story = start_rollout(
        lab, "plugin-killed", rollout_with_analysis_step(service), analysis_with_count(4, "5s"), report_progress
    )
    story.wait_until(lambda now: successes(now) >= 1, 60, "a first measurement")

    killed = lab.plugin_pid()
    report_progress(f"killing the plugin's process {killed}")
    os.kill(killed, signal.SIGKILL)
    end = story.wait_until_decided(180)

    assert end.promoted
    assert successes(end) == 4
    assert end.phases.count("Error") <= 2
    assert set(end.phases) <= {"Successful", "Error"}
    assert lab.plugin_pid() != killed


def test_a_plugin_process_killed_in_a_measurement_costs_at_most_two_errors(
    lab: Lab, report_progress: ProgressReporter
) -> None:
    service = "canary|reviews|plugin-killed-within|cluster-1|-"
    lab.feed_and_wait(service, "good")
    story = start_rollout(
        lab, "plugin-killed-within", rollout_with_analysis_step(service), analysis_with_count(3, "4s"), report_progress
    )
    story.wait_until(lambda now: successes(now) >= 1, 60, "a first measurement")

    killed = lab.plugin_pid()
    with stopped(lab.pid("sidecar")):
        time.sleep(7)  # the next measurement is begun after four, and waits for the sidecar until its deadline
        report_progress(f"killing the plugin's process {killed} in a measurement")
        os.kill(killed, signal.SIGKILL)
        story.wait_until(lambda now: "Error" in now.phases, 30, "the lost call to be an Error")
    end = story.wait_until_decided(180)

    assert end.promoted
    assert successes(end) == 3
    assert 1 <= end.phases.count("Error") <= 2
    assert lab.plugin_pid() != killed


def test_an_oap_that_hangs_makes_the_measurement_wait(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|oap-hangs|cluster-1|-"
    longer_than_an_answer_serves = analysis_with_count(6, "4s")  # responseTtl + verdictTtl are 10 s
    lab.feed_and_wait(service, "good")
    story = start_rollout(
        lab, "oap-hangs", rollout_with_analysis_step(service), longer_than_an_answer_serves, report_progress
    )
    story.wait_until(lambda now: successes(now) >= 1, 60, "a first measurement")

    with stopped(lab.pid("oap")):
        report_progress("OAP hangs")
        waiting = story.wait_until(lambda now: "Running" in now.phases, 60, "a measurement that waits for OAP")
    report_progress("OAP goes on")
    end = story.wait_until_decided(180)

    assert waiting.measurements[-1].message, "a waiting measurement says for what"
    assert end.promoted
    assert end.phases == ["Successful"] * 6
    assert not any(look.aborted for look in story.snapshots)


def test_the_controller_recovers_from_a_stopped_plugin_process(lab: Lab, report_progress: ProgressReporter) -> None:
    """Argo's ping has no deadline of its own: yamux gives up 10 s after a keepalive, which it sends every 30 s."""
    service = "canary|reviews|plugin-stopped|cluster-1|-"
    lab.feed_and_wait(service, "good")
    kubectl = lab.kubectl.in_namespace("default")

    def measured() -> list[MetricMeasurement]:
        return parse_measurements(kubectl.get(RUN, "plugin-stopped"))

    def count(phase: str) -> int:
        return [one.phase for one in measured()].count(phase)

    kubectl.apply([build_analysis_run("plugin-stopped", service, analysis_with_count(4, "5s"))])
    wait_for(lambda: count("Successful") >= 1, 60, "a first measurement")

    asleep = lab.plugin_pid()
    report_progress(f"stopping the plugin's process {asleep}")
    os.kill(asleep, signal.SIGSTOP)
    began = time.monotonic()
    before = count("Successful")
    wait_for(lambda: count("Error") >= 1, 60, "the controller to give the stopped process up")
    gave_up = time.monotonic() - began
    report_progress(f"given up after {gave_up:.0f} s")
    wait_for(lambda: count("Successful") > before, 60, "a measurement by a new process")
    report_progress(f"recovered after {time.monotonic() - began:.0f} s")
    wait_for(lambda: kubectl.get(RUN, "plugin-stopped")["status"]["phase"] == "Successful", 60, "the run to end")

    assert gave_up < 50, "yamux: at most 30 s until the next keepalive, 10 s for its answer"
    assert count("Error") <= 2
    assert lab.plugin_pid() != asleep
