"""Fairness of a minute's bets: nothing can be expected from them while the canary keeps its limit.

Expectations are sums over all outcomes, so that no simulation and no tolerance for chance is needed.
"""

from collections.abc import Callable
from itertools import product
from math import comb, exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.judgement import FailureCounts, Limit, RateComparison, RateObjective, RatePair
from skywalking_provider.judgement.rates import FINE_RATIOS, WORSE_RATIOS, bet_on_pair, bet_on_rate
from tests.judgement.cases import exact_counts, limits

ROUNDING = 1e-9
SHARES = st.floats(0, 1)
RATES = st.floats(1e-6, 0.9)


def probability(failures: int, calls: int, rate: float) -> float:
    return comb(calls, failures) * rate**failures * (1 - rate) ** (calls - failures)


def expect_rate(calls: int, rate: float, bet: Callable[[int], float]) -> float:
    """Return what a bet on one side wins on average."""
    return sum(probability(failures, calls, rate) * exp(bet(failures)) for failures in range(calls + 1))


def expect_pair(canary: int, rate: float, stable: int, stable_rate: float, bet: Callable[[int, int], float]) -> float:
    """Return what a bet on both sides wins on average."""
    return sum(
        probability(failed, canary, rate)
        * probability(stable_failed, stable, stable_rate)
        * exp(bet(failed, stable_failed))
        for failed, stable_failed in product(range(canary + 1), range(stable + 1))
    )


@given(st.integers(1, 60), RATES, st.sampled_from(WORSE_RATIOS + FINE_RATIOS))
def test_bet_on_rate_at_the_limit_is_neutral(calls: int, limit: float, ratio: float) -> None:
    won = expect_rate(calls, limit, lambda failures: bet_on_rate(calls, failures, limit, ratio))

    assert won == pytest.approx(1, abs=ROUNDING)


@given(st.integers(1, 60), RATES, SHARES, st.sampled_from(WORSE_RATIOS))
def test_bet_on_worse_rate_below_the_limit_wins_nothing(calls: int, limit: float, share: float, ratio: float) -> None:
    won = expect_rate(calls, limit * share, lambda failures: bet_on_rate(calls, failures, limit, ratio))

    assert won <= 1 + ROUNDING


@given(st.integers(1, 60), RATES, SHARES, st.sampled_from(FINE_RATIOS))
def test_bet_on_fine_rate_above_the_limit_wins_nothing(calls: int, limit: float, share: float, ratio: float) -> None:
    rate = limit + (1 - limit) * share

    won = expect_rate(calls, rate, lambda failures: bet_on_rate(calls, failures, limit, ratio))

    assert won <= 1 + ROUNDING


def stable_rate_at(share: float, limit: Limit, ratio: float) -> float:
    """Return a rate of stable. Beside the highest ones no canary can be harmful, because its limit is above 1."""
    return share if ratio > 1 else share * min(1, (1 - limit.difference) / limit.ratio)


@given(st.integers(1, 12), st.integers(1, 12), limits, SHARES, SHARES, st.sampled_from(WORSE_RATIOS + FINE_RATIOS))
def test_bet_on_pair_at_the_limit_wins_nothing_for_any_guess_and_any_rate_of_stable(
    canary: int, stable: int, limit: Limit, guess_share: float, stable_share: float, ratio: float
) -> None:
    most = min(0.5, (0.9 - limit.difference) / limit.ratio)
    guess = 1e-5 + guess_share * (most - 1e-5)
    stable_rate = stable_rate_at(stable_share, limit, ratio)
    rate = min(1.0, limit.at(stable_rate))

    won = expect_pair(
        canary,
        rate,
        stable,
        stable_rate,
        lambda k, stable_k: bet_on_pair(canary, k, stable, stable_k, guess, limit, ratio),
    )

    assert won <= 1 + ROUNDING


@given(st.lists(exact_counts(30), max_size=2), st.integers(1, 6), st.integers(1, 6), limits, SHARES)
def test_bets_of_a_compared_minute_at_the_limit_win_nothing_after_any_minutes(
    earlier: list[FailureCounts], canary: int, stable: int, limit: Limit, share: float
) -> None:
    outcomes = {}
    for failed, stable_failed in product(range(canary + 1), range(stable + 1)):
        test = RateComparison(limit, limit)
        for before in earlier:
            test.bets(RatePair(FailureCounts(1, 0, 0), before))
        minute = RatePair(FailureCounts(canary, failed, failed), FailureCounts(stable, stable_failed, stable_failed))
        outcomes[failed, stable_failed] = test.bets(minute)

    for number, ratio in enumerate(WORSE_RATIOS):
        rate = min(1.0, limit.at(share))
        assert expect_pair(canary, rate, stable, share, lambda *k, at=number: outcomes[k].worse[at]) <= 1 + ROUNDING, (
            ratio
        )
    for number, ratio in enumerate(FINE_RATIOS):
        stable_rate = stable_rate_at(share, limit, ratio)
        rate = min(1.0, limit.at(stable_rate))
        assert (
            expect_pair(canary, rate, stable, stable_rate, lambda *k, at=number: outcomes[k].fine[at]) <= 1 + ROUNDING
        ), ratio


@given(st.integers(1, 12), RATES)
def test_bets_of_a_minute_at_the_objective_win_nothing(calls: int, limit: float) -> None:
    test = RateObjective(limit, limit)
    outcomes = [test.bets(FailureCounts(calls, failed, failed)) for failed in range(calls + 1)]

    for number in range(len(WORSE_RATIOS)):
        assert expect_rate(calls, limit, lambda failed, at=number: outcomes[failed].worse[at]) <= 1 + ROUNDING
    for number in range(len(FINE_RATIOS)):
        assert expect_rate(calls, limit, lambda failed, at=number: outcomes[failed].fine[at]) <= 1 + ROUNDING


@given(st.integers(1, 8), RATES, SHARES, SHARES, st.sampled_from(WORSE_RATIOS + FINE_RATIOS))
def test_bet_on_apdex_with_tolerating_calls_wins_nothing_at_the_limit(
    calls: int, limit: float, tolerating_share: float, slack: float, ratio: float
) -> None:
    mean = limit * slack if ratio > 1 else limit + (1 - limit) * slack
    # A tolerating call counts as half a failure: mean = tolerating / 2 + frustrated.
    tolerating = 2 * min(mean, 1 - mean) * tolerating_share
    frustrated = mean - tolerating / 2
    satisfied = 1 - tolerating - frustrated

    won = 0.0
    for frustrated_calls, tolerating_calls in product(range(calls + 1), repeat=2):
        satisfied_calls = calls - frustrated_calls - tolerating_calls
        if satisfied_calls < 0:
            continue
        ways = comb(calls, frustrated_calls) * comb(calls - frustrated_calls, tolerating_calls)
        chance = ways * frustrated**frustrated_calls * tolerating**tolerating_calls * satisfied**satisfied_calls
        won += chance * exp(bet_on_rate(calls, frustrated_calls + tolerating_calls / 2, limit, ratio))

    assert won <= 1 + ROUNDING
