"""Rollouts with simulated calls: false findings, and minutes until a fault is found.

2,000 rollouts of each scenario with fixed seeds, and a look each minute for 30 minutes. The canary has 120 calls a
minute of 1,200 unless the scenario says otherwise. `make simulate` publishes more scenarios with more rollouts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import pytest

from skywalking_provider.judgement import (
    Confidence,
    FailureCounts,
    Finding,
    Judge,
    RateComparison,
    RateObjective,
    RatePair,
    decide,
)
from tests.judgement.cases import HARMFUL, TOLERATED

ROLLOUTS, MINUTES = 2000, 30
FAILED_IN_BLIP, BLIP_MINUTES = 0.3, 50 / 60
Draw = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Traffic:
    """Calls and failures of a scenario.

    Attributes:
        canary: Failure rate of the canary.
        stable: Failure rate of stable.
        calls: Calls of the canary per minute; stable has nine times as many.
        correlation: Correlation between the calls of one minute, on each side separately.
        blip: Whether a part of the canary's calls fails for 50 seconds, anywhere in the rollout.
    """

    canary: float
    stable: float
    calls: int = 120
    correlation: float = 0.0
    blip: bool = False


def draw_rollouts(traffic: Traffic, seed: int) -> Iterator[list[RatePair]]:
    """Yield the minutes of each rollout in which both sides have calls. None stands for another minute."""
    random = np.random.default_rng(seed)
    level = random.uniform(0.85, 1.15, (ROLLOUTS, 1)) * traffic.calls
    calls, stable_calls = (random.poisson(level * share, (ROLLOUTS, MINUTES)) for share in (1, 9))
    failed = random.binomial(calls, _rates(random, traffic, traffic.canary))
    stable_failed = random.binomial(stable_calls, _rates(random, traffic, traffic.stable))
    if traffic.blip:
        start = random.uniform(0, MINUTES - BLIP_MINUTES, (ROLLOUTS, 1))
        minute = np.arange(MINUTES)
        share = np.clip(np.minimum(minute + 1, start + BLIP_MINUTES) - np.maximum(minute, start), 0, 1)
        failed += random.binomial(random.binomial(calls - failed, share), FAILED_IN_BLIP)
    for rows in zip(*(one.tolist() for one in (calls, failed, stable_calls, stable_failed)), strict=True):
        yield [
            RatePair(FailureCounts(n, k, k), FailureCounts(stable_n, stable_k, stable_k))
            for n, k, stable_n, stable_k in zip(*rows, strict=True)
        ]


def _rates(random: np.random.Generator, traffic: Traffic, rate: float) -> Draw | float:
    if not traffic.correlation:
        return rate
    spread = 1 / traffic.correlation - 1
    return random.beta(rate * spread, (1 - rate) * spread, (ROLLOUTS, MINUTES))


def find(judge: Judge[Any], minutes: list[Any], wanted: Finding) -> int | None:
    """Return the number of minutes until a rollout is found worse or fine; None if it never is."""
    for number, minute in enumerate(minutes, 1):
        if minute is None:
            continue
        judge.add(minute)
        if decide(judge.evidence, Confidence()) is wanted:
            return number
    return None


def find_compared(traffic: Traffic, seed: int, wanted: Finding) -> list[int | None]:
    """Return the minutes until each rollout is found worse or fine beside stable."""
    return [
        find(
            Judge(RateComparison(TOLERATED, HARMFUL), Confidence()),
            [one if one.canary.calls and one.stable.calls else None for one in minutes],
            wanted,
        )
        for minutes in draw_rollouts(traffic, seed)
    ]


def find_objective(traffic: Traffic, seed: int, wanted: Finding) -> list[int | None]:
    """Return the minutes until each rollout is found worse or fine against 99 %."""
    return [
        find(
            Judge(RateObjective(0.01, 0.03), Confidence()),
            [one.canary if one.canary.calls else None for one in minutes],
            wanted,
        )
        for minutes in draw_rollouts(traffic, seed)
    ]


def count_found(found: list[int | None]) -> int:
    return sum(one is not None for one in found)


FORMS = pytest.mark.parametrize(
    "find_all", [pytest.param(find_compared, id="compare"), pytest.param(find_objective, id="objective")]
)
FindAll = Callable[[Traffic, int, Finding], list[int | None]]


@FORMS
@pytest.mark.parametrize(
    "traffic",
    [
        pytest.param(Traffic(0.005, 0.005), id="steady"),
        pytest.param(Traffic(0.005, 0.005, correlation=0.002), id="bursty"),
        pytest.param(Traffic(0.005, 0.005, blip=True), id="blip of 50 seconds"),
        pytest.param(Traffic(0.01, 0.01), id="exactly at the objective"),
    ],
)
def test_healthy_canary_is_worse_in_at_most_one_of_a_thousand_rollouts(find_all: FindAll, traffic: Traffic) -> None:
    assert count_found(find_all(traffic, 1, Finding.WORSE)) <= 2


@FORMS
def test_canary_with_five_times_the_failures_is_worse_after_five_minutes(find_all: FindAll) -> None:
    found = find_all(Traffic(0.05, 0.01), 2, Finding.WORSE)

    assert count_found(found) == ROLLOUTS
    assert median(found) <= 5


@FORMS
def test_canary_that_fails_completely_is_worse_after_three_minutes_of_five_calls(find_all: FindAll) -> None:
    found = find_all(Traffic(1, 0.005, calls=5), 3, Finding.WORSE)

    assert count_found(found) == ROLLOUTS
    assert median(found) == 3


@pytest.mark.parametrize(
    "find_all",
    [
        pytest.param(partial(find_compared, Traffic(0.025, 0.005)), id="compare"),
        pytest.param(partial(find_objective, Traffic(0.03, 0.005)), id="objective"),
    ],
)
def test_harmful_canary_is_fine_in_at_most_seven_of_a_hundred_rollouts(
    find_all: Callable[[int, Finding], list[int | None]],
) -> None:
    fine = count_found(find_all(4, Finding.FINE))

    assert 0 < fine <= 0.07 * ROLLOUTS
