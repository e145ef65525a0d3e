"""Violations and growth that the soak test detects."""

import os
from pathlib import Path
from typing import Any

import pytest

from bench.soak.growth import ProcessSample, measure_growth
from bench.soak.processes import find_child
from bench.soak.workload import (
    BACKEND_TOKEN,
    METRIC_KINDS,
    SECRET_KIND,
    MetricKind,
    build_scenario,
    contains_secret,
    find_terminate_violations,
    find_violations,
    secret_value,
)
from skywalking_provider.block import Instances
from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.queries.entities import select_instances

NOW = 1_000.0
KIND = {kind.name: kind for kind in (*METRIC_KINDS, SECRET_KIND)}


@pytest.mark.parametrize("kind", METRIC_KINDS, ids=lambda kind: kind.name)
def test_metric_kind_selects_one_pod_of_the_scenario(kind: MetricKind) -> None:
    block = kind.build_metric(3)["provider"]["plugin"]["skywalking/metrics"]
    service = next(one for one in build_scenario().services if one.name == block["service"])
    pods = [InventoryInstance(one.name, {}) for one in service.instances]

    assert len(select_instances(Instances.model_validate(block["instances"]), service.name, pods)) == 1


def violations(kind: str, *, killed: bool = False, **measurement: Any) -> list[str]:
    given = {"message": "M", "finishedAt": NOW} | measurement
    return list(find_violations(KIND[kind], given, NOW, bridge_killed=killed))


@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        ("healthy", "Failed"),
        ("healthy", "Inconclusive"),
        ("healthy", "Error"),
        ("short-grace", "Failed"),
        ("bad", "Successful"),
        ("no-data", "Successful"),
        ("no-data", "Failed"),
        ("no-data-unconditional", "Successful"),
        ("secret-in-block", "Successful"),
    ],
)
def test_phase_that_is_not_allowed_is_a_violation(kind: str, phase: str) -> None:
    assert violations(kind, phase=phase) == [f"{kind} is {phase}: M"]


def test_allowed_phase_is_no_violation() -> None:
    for kind in KIND.values():
        for phase in kind.allowed_phases:
            assert violations(kind.name, phase=phase) == []


def test_measurement_without_finished_at_or_with_late_resume_at_is_a_violation() -> None:
    assert violations("healthy", phase="Successful", finishedAt=None) == ["healthy is Successful without finishedAt: M"]
    assert violations("healthy", phase="Running", resumeAt=NOW + 60) == []
    assert violations("healthy", phase="Running") == ["healthy is Running with resumeAt missing: M"]
    assert violations("healthy", phase="Running", resumeAt=NOW + 3600) != []


def test_error_is_excused_only_by_a_killed_bridge_with_argos_message() -> None:
    message = "Run rpc call error: unexpected EOF"

    assert violations("healthy", phase="Error", message=message, killed=True) == []
    assert violations("healthy", phase="Error", message=message) != []
    assert violations("healthy", phase="Error", message="BLOCK_INVALID", killed=True) != []


RUNNING = {"phase": "Running", "startedAt": "2026-11-24T12:00:00Z", "resumeAt": "2026-11-24T12:00:10Z"}
TERMINATED = {
    "phase": "Inconclusive",
    "startedAt": "2026-11-24T12:00:00Z",
    "finishedAt": "2026-11-24T12:00:05Z",
    "message": "M",
}


def terminate_violations(*, killed: bool = False, **measurement: Any) -> list[str]:
    return list(find_terminate_violations(KIND["healthy"], RUNNING, TERMINATED | measurement, bridge_killed=killed))


def test_terminated_measurement_inconclusive_with_its_start_is_no_violation() -> None:
    assert terminate_violations() == []


@pytest.mark.parametrize("phase", ["Running", "Successful", "Failed", "Error"])
def test_terminated_measurement_with_another_phase_is_a_violation(phase: str) -> None:
    assert terminate_violations(phase=phase) == [f"healthy was terminated and is {phase}: M"]


@pytest.mark.parametrize(
    ("measurement", "expected"),
    [
        ({"finishedAt": None}, "is not finished"),
        ({"resumeAt": "2026-11-24T12:00:10Z"}, "is not finished"),
        ({"startedAt": "2026-11-24T12:00:05Z"}, "is another measurement"),
        ({"value": "0.5"}, "is another measurement"),
    ],
)
def test_terminated_measurement_unfinished_or_replaced_is_a_violation(
    measurement: dict[str, Any], expected: str
) -> None:
    assert [expected in violation for violation in terminate_violations(**measurement)] == [True]


def test_terminate_error_is_excused_only_by_a_killed_bridge_with_argos_message() -> None:
    lost = {"phase": "Error", "message": "Terminate rpc call error: unexpected EOF"}

    assert terminate_violations(**lost, killed=True) == []
    assert terminate_violations(**lost) != []
    assert terminate_violations(phase="Error", killed=True) != []


def test_contains_secret_finds_planted_secrets() -> None:
    assert contains_secret(f"not for {BACKEND_TOKEN}")
    assert contains_secret(f"got {secret_value(7)}")
    assert not contains_secret("got ********")


def test_scenario_has_all_measured_services() -> None:
    assert len(build_scenario().services) == 20


def samples(resident: float = 0.0, files: float = 0.0) -> list[ProcessSample]:
    """Return 5 min of samples of a process whose connections vary with the injected faults."""
    return [
        ProcessSample(float(at), 1, 100 + resident * at / 300 + at % 7, int(26 + files * at / 300 + at % 120 / 4), 20)
        for at in range(301)
    ]


def test_growth_ignores_variation_and_detects_a_trend() -> None:
    assert all(growth.within_bound for growth in measure_growth(samples()))
    assert [growth.resource for growth in measure_growth(samples(resident=20.0)) if not growth.within_bound] == [
        "resident MiB"
    ]
    assert [growth.resource for growth in measure_growth(samples(files=16.0)) if not growth.within_bound] == ["files"]


def test_process_sample_reads_this_process() -> None:
    sample = ProcessSample.take(os.getpid(), 1.5)

    assert (sample.pid, sample.elapsed_seconds) == (os.getpid(), 1.5)
    assert min(sample.resident_mib, sample.files, sample.threads) > 0


def test_find_child_thread_that_ended_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Path("/proc/self/task/0/children")
    monkeypatch.setattr(Path, "glob", lambda *_: iter([gone]))

    assert find_child(1) is None
