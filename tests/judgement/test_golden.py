"""Agreement with the golden examples: single bets and whole looks, to a relative difference of 1e-9."""

from typing import Any

import pytest

from skywalking_provider.judgement import LatencyComparison, LatencyMinute, LatencyPair, Limit, decide
from skywalking_provider.judgement.latency import SHIFTS
from skywalking_provider.judgement.rates import bet_on_pair, bet_on_rate
from tests.judgement.golden import LOOKS, prepare_look

TOLERATED, HARMFUL = Limit(0.001, 1.25), Limit(0.01, 3)


def close(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=0)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look["name"])
def test_look_has_golden_evidence_and_finding(look: dict[str, Any]) -> None:
    prepared = prepare_look(look)

    for minute in prepared.minutes:
        prepared.judge.add(minute)

    evidence = prepared.judge.evidence
    assert evidence.worse == close(look["worse"])
    assert evidence.fine == close(look["fine"])
    assert decide(evidence, prepared.confidence, held=prepared.held) == look["verdict"]


@pytest.mark.parametrize(
    ("calls", "failures", "limit", "ratio", "expected"),
    [
        (120, 6, 0.01, 5, 4.954930201723),
        (120, 0, 0.01, 1.5, -0.6075962347856),
        (120, 0, 0.03, 0.05, 3.474969763013),
        (1000, 3, 0.03, 0.3, 17.74228903108),
        (10, 10, 0.6, 12, 2.876820724518),
    ],
)
def test_bet_on_one_side(calls: int, failures: int, limit: float, ratio: float, expected: float) -> None:
    assert bet_on_rate(calls, failures, limit, ratio) == close(expected)


@pytest.mark.parametrize(
    ("canary", "stable", "guess", "limit", "ratio", "expected"),
    [
        ((120, 6), (1080, 11), 0.01, TOLERATED, 5, 0.2732401160277),
        ((480, 10), (20, 0), 0.005, TOLERATED, 5, 0.2359863942148),
        ((120, 0), (1080, 11), 0.01, HARMFUL, 0.05, 4.234856226145),
        ((960, 4), (240, 1), 0.004, HARMFUL, 0.3, 4.022012334567),
    ],
)
def test_bet_on_both_sides(
    canary: tuple[int, int], stable: tuple[int, int], guess: float, limit: Limit, ratio: float, expected: float
) -> None:
    assert bet_on_pair(*canary, *stable, guess, limit, ratio) == close(expected)


@pytest.mark.parametrize(
    ("canary", "stable", "shift", "expected"),
    [((120, 204), (1080, 100), 0.5, 1.731031817306), ((5, 400), (50, 100), 1.0, 0.6586401895164)],
)
def test_bet_on_latency(canary: tuple[int, float], stable: tuple[int, float], shift: float, expected: float) -> None:
    test = LatencyComparison(Limit(10, 1.25), Limit(50, 2))

    bets = test.bets(LatencyPair(LatencyMinute(*canary), LatencyMinute(*stable)))

    assert bets.worse[SHIFTS.index(shift)] == close(expected)
