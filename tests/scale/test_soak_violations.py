"""What the soak takes for a broken promise, and what for growth."""

from pathlib import Path
from typing import Any

import pytest

from bench.soak.growth import ProcessSample, measure_growth
from bench.soak.processes import find_child
from bench.soak.workload import (
    BACKEND_TOKEN,
    METRIC_KINDS,
    SECRET_KIND,
    build_scenario,
    contains_secret,
    find_terminate_violations,
    find_violations,
    secret_value,
)

NOW = 1_000.0
KIND = {kind.name: kind for kind in (*METRIC_KINDS, SECRET_KIND)}


def broken(kind: str, *, killed: bool = False, **measurement: Any) -> list[str]:
    given = {"message": "M", "finishedAt": NOW} | measurement
    return list(find_violations(KIND[kind], given, NOW, bridge_killed=killed))


@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        ("healthy", "Failed"),
        ("healthy", "Inconclusive"),
        ("healthy", "Error"),
        ("impatient", "Failed"),
        ("bad", "Successful"),
        ("silent", "Successful"),
        ("silent", "Failed"),
        ("silent-unconditional", "Successful"),
        ("leaky", "Successful"),
    ],
)
def test_a_wrong_end_is_a_broken_promise(kind: str, phase: str) -> None:
    assert broken(kind, phase=phase) == [f"{kind} is {phase}: M"]


def test_the_right_ends_are_none() -> None:
    for kind in KIND.values():
        for phase in kind.allowed_phases:
            assert broken(kind.name, phase=phase) == []


def test_an_end_has_its_instant_and_a_pause_the_one_it_ends_at() -> None:
    assert broken("healthy", phase="Successful", finishedAt=None) == ["healthy is Successful and not finished: M"]
    assert broken("healthy", phase="Running", resumeAt=NOW + 60) == []
    assert broken("healthy", phase="Running") == ["healthy is Running, to be resumed never: M"]
    assert broken("healthy", phase="Running", resumeAt=NOW + 3600) != []


def test_only_a_killed_bridge_excuses_an_error_and_only_argos_word_of_it() -> None:
    word = "Run rpc call error: unexpected EOF"

    assert broken("healthy", phase="Error", message=word, killed=True) == []
    assert broken("healthy", phase="Error", message=word) != []
    assert broken("healthy", phase="Error", message="BLOCK_INVALID", killed=True) != []


RUNNING = {"phase": "Running", "startedAt": "2026-11-24T12:00:00Z", "resumeAt": "2026-11-24T12:00:10Z"}
TERMINATED = {
    "phase": "Inconclusive",
    "startedAt": "2026-11-24T12:00:00Z",
    "finishedAt": "2026-11-24T12:00:05Z",
    "message": "M",
}


def broken_by(*, killed: bool = False, **answer: Any) -> list[str]:
    return list(find_terminate_violations(KIND["healthy"], RUNNING, TERMINATED | answer, bridge_killed=killed))


def test_what_is_terminated_ends_inconclusive_and_keeps_its_beginning() -> None:
    assert broken_by() == []


@pytest.mark.parametrize("phase", ["Running", "Successful", "Failed", "Error"])
def test_no_other_phase_ends_what_is_terminated(phase: str) -> None:
    assert broken_by(phase=phase) == [f"healthy was terminated and is {phase}: M"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"finishedAt": None}, "is not finished"),
        ({"resumeAt": "2026-11-24T12:00:10Z"}, "is not finished"),
        ({"startedAt": "2026-11-24T12:00:05Z"}, "is another measurement"),
        ({"value": "0.5"}, "is another measurement"),
    ],
)
def test_what_is_terminated_is_finished_and_no_other(answer: dict[str, Any], words: str) -> None:
    assert [words in promise for promise in broken_by(**answer)] == [True]


def test_a_terminate_that_a_killed_bridge_took_with_it_is_excused_in_argos_words_alone() -> None:
    lost = {"phase": "Error", "message": "Terminate rpc call error: unexpected EOF"}

    assert broken_by(**lost, killed=True) == []
    assert broken_by(**lost) != []
    assert broken_by(phase="Error", killed=True) != []


def test_planted_secrets_are_found() -> None:
    assert contains_secret(f"not for {BACKEND_TOKEN}")
    assert contains_secret(f"got {secret_value(7)}")
    assert not contains_secret("got ********")


def test_the_oap_of_a_soak_has_what_is_asked_of_it() -> None:
    assert len(build_scenario().services) == 20


def series(resident: float = 0.0, files: float = 0.0) -> list[ProcessSample]:
    """Five minutes of a process whose connections come and go with the weather."""
    return [
        ProcessSample(float(at), 1, 100 + resident * at / 300 + at % 7, int(26 + files * at / 300 + at % 120 / 4), 20)
        for at in range(301)
    ]


def test_a_process_that_only_breathes_is_steady_and_one_that_grows_is_not() -> None:
    assert all(growth.within_bound for growth in measure_growth(series()))
    assert [growth.resource for growth in measure_growth(series(resident=20.0)) if not growth.within_bound] == [
        "resident MiB"
    ]
    assert [growth.resource for growth in measure_growth(series(files=16.0)) if not growth.within_bound] == ["files"]


def test_a_thread_that_ends_while_a_process_is_looked_at_ends_no_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Path("/proc/self/task/0/children")
    monkeypatch.setattr(Path, "glob", lambda *_: iter([gone]))

    assert find_child(1) is None
