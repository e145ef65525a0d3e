"""Failures of bridge, sidecar and OAP during an analysis, which must not abort the rollout."""

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
def suspended(pid: int) -> Iterator[None]:
    """Suspend a process for the duration of the context: its sockets stay open and it sends no response."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def count_successes(snapshot: RolloutSnapshot) -> int:
    return snapshot.phases.count("Successful")


def test_sidecar_killed_and_restarted_does_not_abort_rollout(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|sidecar-unavailable|cluster-1|-"
    lab.feed_and_wait(service, "good")
    timeline = start_rollout(
        lab, "sidecar-unavailable", rollout_with_analysis_step(service), analysis_with_count(4, "5s"), report_progress
    )
    timeline.wait_until(lambda now: count_successes(now) >= 1, 60, "a first measurement")

    report_progress("kill the sidecar")
    lab.kill("sidecar")
    waiting = timeline.wait_until(lambda now: "Running" in now.phases, 60, "a measurement that waits for the sidecar")
    assert waiting.measurements[-1].message, "a waiting measurement has no message"
    lab.start("sidecar")
    end = timeline.wait_until_decided(180)

    assert end.promoted
    assert end.phases == ["Successful"] * 4, "the waiting measurement did not become Successful"
    assert not any(snapshot.aborted for snapshot in timeline.snapshots)
    assert "Paused" not in [snapshot.phase for snapshot in timeline.snapshots if count_successes(snapshot) < 4], (
        "a measurement was Inconclusive"
    )


def test_plugin_killed_between_measurements_is_replaced(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|plugin-killed|cluster-1|-"
    lab.feed_and_wait(service, "good")
    timeline = start_rollout(
        lab, "plugin-killed", rollout_with_analysis_step(service), analysis_with_count(4, "5s"), report_progress
    )
    timeline.wait_until(lambda now: count_successes(now) >= 1, 60, "a first measurement")

    killed = lab.plugin_pid()
    report_progress(f"kill the plugin, pid {killed}")
    os.kill(killed, signal.SIGKILL)
    end = timeline.wait_until_decided(180)

    assert end.promoted
    assert count_successes(end) == 4
    assert end.phases.count("Error") <= 2
    assert set(end.phases) <= {"Successful", "Error"}
    assert lab.plugin_pid() != killed


def test_plugin_killed_in_a_measurement_causes_at_most_two_errors(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|plugin-killed-within|cluster-1|-"
    lab.feed_and_wait(service, "good")
    timeline = start_rollout(
        lab, "plugin-killed-within", rollout_with_analysis_step(service), analysis_with_count(3, "4s"), report_progress
    )
    timeline.wait_until(lambda now: count_successes(now) >= 1, 60, "a first measurement")

    killed = lab.plugin_pid()
    with suspended(lab.pid("sidecar")):
        time.sleep(7)  # the next measurement starts after 4 s and waits for the sidecar until its deadline
        report_progress(f"kill the plugin, pid {killed}, during a measurement")
        os.kill(killed, signal.SIGKILL)
        timeline.wait_until(lambda now: "Error" in now.phases, 30, "Error of the lost call")
    end = timeline.wait_until_decided(180)

    assert end.promoted
    assert count_successes(end) == 3
    assert 1 <= end.phases.count("Error") <= 2
    assert lab.plugin_pid() != killed


def test_oap_suspended_measurement_waits(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|oap-hangs|cluster-1|-"
    longer_than_the_caches = analysis_with_count(6, "4s")  # responseTtl + verdictTtl are 10 s
    lab.feed_and_wait(service, "good")
    timeline = start_rollout(
        lab, "oap-hangs", rollout_with_analysis_step(service), longer_than_the_caches, report_progress
    )
    timeline.wait_until(lambda now: count_successes(now) >= 1, 60, "a first measurement")

    with suspended(lab.pid("oap")):
        report_progress("OAP suspended")
        waiting = timeline.wait_until(lambda now: "Running" in now.phases, 60, "a measurement that waits for OAP")
    report_progress("OAP resumed")
    end = timeline.wait_until_decided(180)

    assert waiting.measurements[-1].message, "a waiting measurement has no message"
    assert end.promoted
    assert end.phases == ["Successful"] * 6
    assert not any(snapshot.aborted for snapshot in timeline.snapshots)


def test_plugin_suspended_is_replaced_by_controller(lab: Lab, report_progress: ProgressReporter) -> None:
    """Argo's ping has no deadline. yamux sends a keepalive every 30 s and closes the connection 10 s later."""
    service = "canary|reviews|plugin-stopped|cluster-1|-"
    lab.feed_and_wait(service, "good")
    kubectl = lab.kubectl.in_namespace("default")

    def measurements() -> list[MetricMeasurement]:
        return parse_measurements(kubectl.get(RUN, "plugin-stopped"))

    def count(phase: str) -> int:
        return [one.phase for one in measurements()].count(phase)

    kubectl.apply([build_analysis_run("plugin-stopped", service, analysis_with_count(4, "5s"))])
    wait_for(lambda: count("Successful") >= 1, 60, "a first measurement")

    suspended_pid = lab.plugin_pid()
    report_progress(f"suspend the plugin, pid {suspended_pid}")
    os.kill(suspended_pid, signal.SIGSTOP)
    suspended_at = time.monotonic()
    before = count("Successful")
    wait_for(lambda: count("Error") >= 1, 60, "the controller to drop the suspended process")
    dropped_after = time.monotonic() - suspended_at
    report_progress(f"dropped after {dropped_after:.0f} s")
    wait_for(lambda: count("Successful") > before, 60, "a measurement by a new process")
    report_progress(f"recovered after {time.monotonic() - suspended_at:.0f} s")
    wait_for(lambda: kubectl.get(RUN, "plugin-stopped")["status"]["phase"] == "Successful", 60, "the run to end")

    assert dropped_after < 50, "yamux: at most 30 s until the next keepalive and 10 s for its response"
    assert count("Error") <= 2
    assert lab.plugin_pid() != suspended_pid
