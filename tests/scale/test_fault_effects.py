"""Expected effects of the soak test's faults, and the detection of a fault without an effect."""

import pytest

from bench.soak.fault_effects import (
    AFTER_EFFECT_SECONDS,
    Disturbed,
    Effect,
    Observations,
    ProcessReplaced,
    ReturnedRunning,
    SlowedDown,
    ineffective_faults,
    slow_windows,
    summary_rows,
)
from bench.soak.fault_schedule import EXPECTED_EFFECTS, P99_LIMITS


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class SoakObservations:
    """Observations of a soak test with a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.observations = Observations(self.clock)

    def respond(self, *durations: float, wait: str | None = None, lost: bool = False) -> None:
        for seconds in durations:
            self.observations.record_response(seconds, wait, lost=lost)

    def fault(self, name: str, *durations: float, wait: str | None = None, lost: bool = False) -> None:
        """Record 4 s of a fault with these responses and the quiet period of 8 s after it."""
        self.observations.begin_fault(name)
        self.respond(*durations, wait=wait, lost=lost)
        self.clock.seconds += 4
        self.observations.end_fault()
        self.clock.seconds += 8

    def missing_effects(self, effect: Effect) -> list[str]:
        return [missing for _, missing in ineffective_faults(self.observations, {"a fault": effect})]


@pytest.fixture
def soak() -> SoakObservations:
    return SoakObservations()


def test_fault_with_expected_wait_reason_is_effective(soak: SoakObservations) -> None:
    soak.fault("a fault", 0.01, wait="OAP_UNAVAILABLE")

    assert soak.missing_effects(ReturnedRunning("OAP_UNAVAILABLE")) == []


def test_fault_with_another_wait_reason_is_ineffective(soak: SoakObservations) -> None:
    soak.fault("a fault", 0.01, wait="NO_DATA")

    assert soak.missing_effects(ReturnedRunning("OAP_UNAVAILABLE")) == [
        "none of 1 responses is Running with OAP_UNAVAILABLE"
    ]


def test_every_window_of_a_fault_needs_its_own_effect(soak: SoakObservations) -> None:
    soak.fault("a fault", 0.01, wait="OAP_UNAVAILABLE")
    soak.fault("a fault", 0.01)

    assert [
        window.starts_at
        for window, _ in ineffective_faults(soak.observations, {"a fault": ReturnedRunning("OAP_UNAVAILABLE")})
    ] == [12.0]


def test_response_within_after_effect_belongs_to_fault_and_later_one_to_quiet_period(soak: SoakObservations) -> None:
    soak.observations.begin_fault("a fault")
    soak.observations.end_fault()
    soak.clock.seconds = AFTER_EFFECT_SECONDS - 0.1
    soak.respond(0.01, wait="OAP_UNAVAILABLE")
    soak.clock.seconds = AFTER_EFFECT_SECONDS
    soak.respond(0.01, wait="NO_DATA")

    assert soak.observations.fault_windows[0].wait_counts == {"OAP_UNAVAILABLE": 1}
    assert soak.observations.quiet.wait_counts == {"NO_DATA": 1}


def test_next_fault_ends_the_after_effect_of_the_previous_one(soak: SoakObservations) -> None:
    soak.observations.begin_fault("a fault")
    soak.observations.end_fault()
    soak.observations.begin_fault("another")
    soak.respond(0.01, wait="OAP_UNAVAILABLE")

    assert [sum(window.wait_counts.values()) for window in soak.observations.fault_windows] == [0, 1]


@pytest.mark.parametrize(
    ("quiet", "fault", "missing"),
    [
        ([0.01] * 10, [0.01] * 8 + [0.5] * 2, []),
        ([0.01] * 10, [0.01] * 20, ["p90 is 0.010 s, expected at least 0.500 s"]),
        ([0.01] * 10, [0.01] * 50 + [0.9], ["p90 is 0.010 s, expected at least 0.500 s"]),
        ([0.7] * 10, [0.6] * 10, ["p90 is 0.600 s, expected at least 0.700 s"]),
        ([0.01] * 10, [0.6], []),
        ([0.01] * 10, [], ["p90 is 0.000 s, expected at least 0.500 s"]),
    ],
)
def test_slow_fault_needs_p90_above_its_delay_and_above_quiet_period(
    soak: SoakObservations, quiet: list[float], fault: list[float], missing: list[str]
) -> None:
    soak.respond(*quiet)
    soak.fault("a fault", *fault)

    assert soak.missing_effects(SlowedDown(0.5)) == missing


def test_killed_process_needs_a_lost_measurement_or_a_new_process_id(soak: SoakObservations) -> None:
    bridge = ProcessReplaced("bridge")
    soak.observations.record_process("bridge", 1)
    soak.fault("a fault", 0.01)
    assert soak.missing_effects(bridge) == ["no measurement was lost and the bridge was not replaced"]

    soak.fault("a fault", 0.01, lost=True)
    soak.observations.begin_fault("a fault")
    soak.observations.record_process("service", 7)
    soak.observations.record_process("bridge", 2)

    assert len(soak.missing_effects(bridge)) == 1
    assert soak.observations.current.replaced_counts == {"bridge": 1}


def test_summary_row_combines_all_windows_of_a_fault_after_the_quiet_period(soak: SoakObservations) -> None:
    soak.respond(0.01)
    for wait in ("OAP_UNAVAILABLE", "OAP_UNAVAILABLE", "NO_DATA"):
        soak.fault("a fault", 0.2, 0.2, wait=wait)

    quiet, fault = summary_rows(soak.observations, {"a fault": ReturnedRunning("OAP_UNAVAILABLE")})

    assert (quiet["name"], quiet["responses"], quiet["withoutEffect"]) == ("quiet period", 1, 0)
    assert fault == {
        "name": "a fault",
        "count": 3,
        "responses": 6,
        "waitReasons": {"OAP_UNAVAILABLE": 4, "NO_DATA": 2},
        "lostMeasurements": 0,
        "replacedProcesses": {},
        "disturbances": {},
        "p90Seconds": 0.2,
        "p99Seconds": 0.2,
        "withoutEffect": 1,
    }


def test_expected_wait_reason_names_the_part_that_the_fault_stops() -> None:
    reasons = {name: effect.reason for name, effect in EXPECTED_EFFECTS.items() if isinstance(effect, ReturnedRunning)}

    assert {name for name, reason in reasons.items() if reason == "PROVIDER_UNAVAILABLE"} == {
        "service killed",
        "service suspended",
    }
    assert set(reasons.values()) == {"OAP_UNAVAILABLE", "PROVIDER_UNAVAILABLE"}
    assert EXPECTED_EFFECTS.keys() - reasons.keys() - P99_LIMITS.keys() == {"OAP slow", "bridge killed"}


def test_fault_that_others_must_not_notice_shows_its_effect_at_the_disturber() -> None:
    unnoticed = {
        "greedy conditions",
        "CEL workers killed",
        "wrong-typed responses",
        "log reader stuck",
        "huge responses",
        "listeners flooded",
    }
    assert P99_LIMITS.keys() == unnoticed
    assert set(P99_LIMITS.values()) == {1.0}
    assert all(isinstance(EXPECTED_EFFECTS[name], Disturbed) for name in P99_LIMITS)


def test_disturbance_without_its_outcome_is_ineffective(soak: SoakObservations) -> None:
    effect = Disturbed(frozenset({"OAP_RESPONSE_INVALID"}), at_least=2)
    soak.observations.begin_fault("a fault")
    soak.observations.record_disturbance("Successful")
    soak.observations.record_disturbance("OAP_RESPONSE_INVALID")
    assert soak.missing_effects(effect) == [
        "1 Successful, 1 OAP_RESPONSE_INVALID, expected at least 2 of OAP_RESPONSE_INVALID"
    ]

    soak.observations.record_disturbance("OAP_RESPONSE_INVALID")
    assert soak.missing_effects(effect) == []


def test_slow_others_are_a_violation_only_for_faults_that_they_must_not_notice(soak: SoakObservations) -> None:
    soak.fault("a fault", *[0.01] * 98, 1.5, 1.5)
    soak.fault("a fault", *[0.01] * 1000, 1.5)
    soak.fault("another", 3.0, 3.0)

    assert [(window.starts_at, text) for window, text in slow_windows(soak.observations, {"a fault": 1.0})] == [
        (0.0, "p99 of the other namespaces is 1.500 s, limit 1.0 s")
    ]
