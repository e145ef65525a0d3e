"""Snapshots from objects of the APIs, and the events between two of them."""

from typing import Any

from bench.talk.events import Event, Part, find_events
from bench.talk.snapshot import Measurement, Snapshot, parse_snapshot

ROUTE = [
    {"destination": {"host": "reviews", "subset": "stable"}, "weight": 80},
    {"destination": {"host": "reviews", "subset": "canary"}, "weight": 20},
]
RUN: dict[str, Any] = {
    "metadata": {"name": "run-1", "creationTimestamp": "2026-11-30T09:00:00Z"},
    "status": {
        "metricResults": [
            {"name": "apdex", "measurements": [{"phase": "Failed", "value": "0.8", "message": "CONDITION_NOT_MET"}]}
        ]
    },
}


def take() -> Snapshot:
    return parse_snapshot(
        5.0,
        {"status": {"sync": {"status": "Synced", "revision": "0123456789"}, "health": {"status": "Degraded"}}},
        {
            "nodes": [
                {"kind": "Pod"},
                {"kind": "Rollout", "health": {"status": "Degraded", "message": "RolloutAborted"}},
            ]
        },
        {
            "status": {
                "phase": "Degraded",
                "stableRS": "h1",
                "currentPodHash": "h2",
                "abort": True,
                "currentStepIndex": 1,
            }
        },
        {"spec": {"http": [{"route": ROUTE}]}},
        [RUN],
    )


def test_snapshot_has_the_state_of_all_parts() -> None:
    snapshot = take()

    assert (snapshot.sync, snapshot.health, snapshot.health_message) == ("Synced", "Degraded", "RolloutAborted")
    assert (snapshot.stable, snapshot.canary, snapshot.aborted, snapshot.weight) == ("h1", "h2", True, 20)
    assert [one.message for one in snapshot.measurements] == ["CONDITION_NOT_MET"]


def test_new_message_of_a_waiting_measurement_is_no_event() -> None:
    def waiting(message: str, phase: str = "Running") -> Snapshot:
        one = Measurement("run-1", "apdex", 0, phase, "", message, "")
        return Snapshot(0.0, measurements=(one,))

    assert list(find_events(waiting("NO_DATA"), waiting("TOO_FEW_CALLS"))) == []
    [event] = find_events(waiting("NO_DATA"), waiting("CONDITION_NOT_MET", "Failed"))
    assert event.text == "apdex: Failed, CONDITION_NOT_MET"


def test_snapshot_of_absent_objects_is_empty() -> None:
    assert parse_snapshot(5.0, {}, {}, {}, {}, []) == Snapshot(5.0)


def test_events_are_the_differences_of_two_snapshots() -> None:
    assert list(find_events(Snapshot(0.0), take())) == [
        Event(5.0, Part.ARGO_CD, "Synced with commit 0123456"),
        Event(5.0, Part.ARGO_CD, "health - → Degraded"),
        Event(5.0, Part.ROLLOUT, "new ReplicaSet h2"),
        Event(5.0, Part.ROLLOUT, "Degraded, steps done: 1"),
        Event(5.0, Part.ROLLOUT, "stable is h1"),
        Event(5.0, Part.ISTIO, "weights stable/canary 80/20"),
        Event(5.0, Part.VERDICT, "apdex: Failed, CONDITION_NOT_MET"),
        Event(5.0, Part.ARGO_CD, "message of the Rollout: RolloutAborted"),
    ]
    assert list(find_events(take(), take())) == []
