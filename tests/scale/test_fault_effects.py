"""What each fault of a soak must be seen to do, and when it is taken for one that hurt nobody."""

import pytest

from bench.soak.fault_effects import (
    AFTER_EFFECT_SECONDS,
    Effect,
    Observations,
    ProcessReplaced,
    ReturnedRunning,
    SlowedDown,
    ineffective_faults,
    summary_rows,
)
from bench.soak.fault_schedule import EXPECTED_EFFECTS


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Soaked:
    """A record, and the clock it goes by."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.record = Observations(self.clock)

    def answers(self, *took: float, wait: str | None = None, lost: bool = False) -> None:
        for seconds in took:
            self.record.record_response(seconds, wait, lost=lost)

    def spell(self, name: str, *took: float, wait: str | None = None, lost: bool = False) -> None:
        """Twelve seconds: four of the spell with these answers, and the calm after it."""
        self.record.begin_fault(name)
        self.answers(*took, wait=wait, lost=lost)
        self.clock.seconds += 4
        self.record.end_fault()
        self.clock.seconds += 8

    def wanting(self, sign: Effect) -> list[str]:
        return [missing for _, missing in ineffective_faults(self.record, {"a spell": sign})]


@pytest.fixture
def soaked() -> Soaked:
    return Soaked()


def test_a_spell_in_which_somebody_waits_for_the_reason_that_it_gives_did_bite(soaked: Soaked) -> None:
    soaked.spell("a spell", 0.01, wait="OAP_UNAVAILABLE")

    assert soaked.wanting(ReturnedRunning("OAP_UNAVAILABLE")) == []


def test_waiting_for_another_reason_is_no_bite(soaked: Soaked) -> None:
    soaked.spell("a spell", 0.01, wait="NO_DATA")

    assert soaked.wanting(ReturnedRunning("OAP_UNAVAILABLE")) == ["of 1 answers none waits with OAP_UNAVAILABLE"]


def test_each_time_of_a_spell_must_bite_for_itself(soaked: Soaked) -> None:
    soaked.spell("a spell", 0.01, wait="OAP_UNAVAILABLE")
    soaked.spell("a spell", 0.01)

    assert [
        seen.starts_at for seen, _ in ineffective_faults(soaked.record, {"a spell": ReturnedRunning("OAP_UNAVAILABLE")})
    ] == [12.0]


def test_what_comes_just_after_a_spell_is_of_the_spell_and_what_comes_later_of_the_calm(soaked: Soaked) -> None:
    soaked.record.begin_fault("a spell")
    soaked.record.end_fault()
    soaked.clock.seconds = AFTER_EFFECT_SECONDS - 0.1
    soaked.answers(0.01, wait="OAP_UNAVAILABLE")
    soaked.clock.seconds = AFTER_EFFECT_SECONDS
    soaked.answers(0.01, wait="NO_DATA")

    assert soaked.record.fault_windows[0].wait_counts == {"OAP_UNAVAILABLE": 1}
    assert soaked.record.quiet.wait_counts == {"NO_DATA": 1}


def test_the_next_spell_ends_the_aftermath_of_the_one_before(soaked: Soaked) -> None:
    soaked.record.begin_fault("a spell")
    soaked.record.end_fault()
    soaked.record.begin_fault("another")
    soaked.answers(0.01, wait="OAP_UNAVAILABLE")

    assert [sum(seen.wait_counts.values()) for seen in soaked.record.fault_windows] == [0, 1]


@pytest.mark.parametrize(
    ("calm", "spell", "wanting"),
    [
        ([0.01] * 10, [0.01] * 8 + [0.5] * 2, []),
        ([0.01] * 10, [0.01] * 20, ["its slowest tenth took 0.010 s, not 0.500 s"]),
        ([0.01] * 10, [0.01] * 50 + [0.9], ["its slowest tenth took 0.010 s, not 0.500 s"]),
        ([0.7] * 10, [0.6] * 10, ["its slowest tenth took 0.600 s, not 0.700 s"]),
        ([0.01] * 10, [0.6], []),
        ([0.01] * 10, [], ["its slowest tenth took 0.000 s, not 0.500 s"]),
    ],
)
def test_a_slow_spell_slows_a_tenth_of_the_answers_more_than_calm_does(
    soaked: Soaked, calm: list[float], spell: list[float], wanting: list[str]
) -> None:
    soaked.answers(*calm)
    soaked.spell("a spell", *spell)

    assert soaked.wanting(SlowedDown(0.5)) == wanting


def test_a_killed_process_costs_a_measurement_or_is_seen_to_be_another(soaked: Soaked) -> None:
    bridge = ProcessReplaced("bridge")
    soaked.record.record_process("bridge", 1)
    soaked.spell("a spell", 0.01)
    assert soaked.wanting(bridge) == ["no measurement was lost, and the bridge is the one of before"]

    soaked.spell("a spell", 0.01, lost=True)
    soaked.record.begin_fault("a spell")
    soaked.record.record_process("service", 7)
    soaked.record.record_process("bridge", 2)

    assert len(soaked.wanting(bridge)) == 1
    assert soaked.record.current.replaced_counts == {"bridge": 1}


def test_a_row_tells_all_times_of_a_spell_and_the_first_is_the_calm(soaked: Soaked) -> None:
    soaked.answers(0.01)
    for wait in ("OAP_UNAVAILABLE", "OAP_UNAVAILABLE", "NO_DATA"):
        soaked.spell("a spell", 0.2, 0.2, wait=wait)

    calm, spell = summary_rows(soaked.record, {"a spell": ReturnedRunning("OAP_UNAVAILABLE")})

    assert (calm["weather"], calm["answers"], calm["harmless"]) == ("calm", 1, 0)
    assert spell == {
        "weather": "a spell",
        "times": 3,
        "answers": 6,
        "waits": {"OAP_UNAVAILABLE": 4, "NO_DATA": 2},
        "lost": 0,
        "replaced": {},
        "slowestTenthSeconds": 0.2,
        "harmless": 1,
    }


def test_who_is_killed_or_stopped_is_missed_by_the_one_who_calls_him() -> None:
    reasons = {name: sign.reason for name, sign in EXPECTED_EFFECTS.items() if isinstance(sign, ReturnedRunning)}

    assert {name for name, reason in reasons.items() if reason == "PROVIDER_UNAVAILABLE"} == {
        "service killed",
        "service stopped",
    }
    assert set(reasons.values()) == {"OAP_UNAVAILABLE", "PROVIDER_UNAVAILABLE"}
    assert EXPECTED_EFFECTS.keys() - reasons.keys() == {"OAP slow", "bridge killed"}
