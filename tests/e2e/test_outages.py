"""Our parts die under a running analysis: the rollout does not pay for it."""

import os
import signal
import time

from e2e_lab import Lab, Say, wait_for
from e2e_scenes import analysis_run, begin, counted_analysis, stepped_rollout
from e2e_story import RUN, Look, Measured, measurements_of


def successes(look: Look) -> int:
    return look.phases.count("Successful")


def test_a_sidecar_killed_and_restarted_does_not_abort_the_rollout(lab: Lab, say: Say) -> None:
    service = "canary|reviews|sidecar-away|cluster-1|-"
    lab.feed(service, "good")
    story = begin(lab, "sidecar-away", stepped_rollout(service), counted_analysis(4, "5s"), say)
    story.until(lambda now: successes(now) >= 1, 60, "a first measurement")

    say("killing the sidecar")
    lab.kill("sidecar")
    waiting = story.until(lambda now: "Running" in now.phases, 60, "a measurement that waits for the sidecar")
    assert waiting.measured[-1].message, "a waiting measurement says for what"
    lab.start("sidecar")
    end = story.decided(180)

    assert end.promoted
    assert end.phases == ["Successful"] * 4, "the measurement that waited ended well too"
    assert not any(look.aborted for look in story.looks)
    assert "Paused" not in [look.phase for look in story.looks if successes(look) < 4], "nothing was inconclusive"


def test_a_killed_plugin_process_costs_at_most_two_errors(lab: Lab, say: Say) -> None:
    service = "canary|reviews|plugin-killed|cluster-1|-"
    lab.feed(service, "good")
    story = begin(lab, "plugin-killed", stepped_rollout(service), counted_analysis(4, "5s"), say)
    story.until(lambda now: successes(now) >= 1, 60, "a first measurement")

    killed = lab.plugin_pid()
    say(f"killing the plugin's process {killed}")
    os.kill(killed, signal.SIGKILL)
    end = story.decided(180)

    assert end.promoted
    assert successes(end) == 4
    assert end.phases.count("Error") <= 2
    assert set(end.phases) <= {"Successful", "Error"}
    assert lab.plugin_pid() != killed


def test_the_controller_recovers_from_a_stopped_plugin_process(lab: Lab, say: Say) -> None:
    """Argo's ping has no deadline of its own: yamux gives up 10 s after a keepalive, which it sends every 30 s."""
    service = "canary|reviews|plugin-stopped|cluster-1|-"
    lab.feed(service, "good")
    kubectl = lab.kubectl.within("default")

    def measured() -> list[Measured]:
        return measurements_of(kubectl.get(RUN, "plugin-stopped"))

    def count(phase: str) -> int:
        return [one.phase for one in measured()].count(phase)

    kubectl.apply([analysis_run("plugin-stopped", service, counted_analysis(4, "5s"))])
    wait_for(lambda: count("Successful") >= 1, 60, "a first measurement")

    stopped = lab.plugin_pid()
    say(f"stopping the plugin's process {stopped}")
    os.kill(stopped, signal.SIGSTOP)
    began = time.monotonic()
    before = count("Successful")
    wait_for(lambda: count("Error") >= 1, 60, "the controller to give the stopped process up")
    gave_up = time.monotonic() - began
    say(f"given up after {gave_up:.0f} s")
    wait_for(lambda: count("Successful") > before, 60, "a measurement by a new process")
    say(f"recovered after {time.monotonic() - began:.0f} s")
    wait_for(lambda: kubectl.get(RUN, "plugin-stopped")["status"]["phase"] == "Successful", 60, "the run to end")

    assert gave_up < 50, "yamux: at most 30 s until the next keepalive, 10 s for its answer"
    assert count("Error") <= 2
    assert lab.plugin_pid() != stopped
