"""Our parts die under a running analysis: the rollout does not pay for it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from e2e_lab import Lab, Say, wait_for
from e2e_scenes import analysis_run, begin, counted_analysis, stepped_rollout
from e2e_story import RUN, Look, Measured, measurements_of


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that hangs meanwhile: its sockets are open, and nobody answers."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


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


def test_a_plugin_process_killed_between_measurements_is_replaced(lab: Lab, say: Say) -> None:
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


def test_a_plugin_process_killed_in_a_measurement_costs_at_most_two_errors(lab: Lab, say: Say) -> None:
    service = "canary|reviews|plugin-killed-within|cluster-1|-"
    lab.feed(service, "good")
    story = begin(lab, "plugin-killed-within", stepped_rollout(service), counted_analysis(3, "4s"), say)
    story.until(lambda now: successes(now) >= 1, 60, "a first measurement")

    killed = lab.plugin_pid()
    with stopped(lab.pid("sidecar")):
        time.sleep(7)  # the next measurement is begun after four, and waits for the sidecar until its deadline
        say(f"killing the plugin's process {killed} in a measurement")
        os.kill(killed, signal.SIGKILL)
        story.until(lambda now: "Error" in now.phases, 30, "the lost call to be an Error")
    end = story.decided(180)

    assert end.promoted
    assert successes(end) == 3
    assert 1 <= end.phases.count("Error") <= 2
    assert lab.plugin_pid() != killed


def test_an_oap_that_hangs_makes_the_measurement_wait(lab: Lab, say: Say) -> None:
    service = "canary|reviews|oap-hangs|cluster-1|-"
    longer_than_an_answer_serves = counted_analysis(6, "4s")  # answerTtl is 10 s
    lab.feed(service, "good")
    story = begin(lab, "oap-hangs", stepped_rollout(service), longer_than_an_answer_serves, say)
    story.until(lambda now: successes(now) >= 1, 60, "a first measurement")

    with stopped(lab.pid("oap")):
        say("OAP hangs")
        waiting = story.until(lambda now: "Running" in now.phases, 60, "a measurement that waits for OAP")
    say("OAP goes on")
    end = story.decided(180)

    assert waiting.measured[-1].message, "a waiting measurement says for what"
    assert end.promoted
    assert end.phases == ["Successful"] * 6
    assert not any(look.aborted for look in story.looks)


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

    asleep = lab.plugin_pid()
    say(f"stopping the plugin's process {asleep}")
    os.kill(asleep, signal.SIGSTOP)
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
    assert lab.plugin_pid() != asleep
