"""Agreement with an independent computation of 50 digits, and with scipy's densities.

It shares nothing with the judgement. A bet is a likelihood ratio of log densities instead of a product of stakes. The
evidence of a worse canary is a double sum over starts, that of a fine one a minimum over the minutes that limit it.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from skywalking_provider.judgement import (
    Confidence,
    FailureCounts,
    Judge,
    LatencyComparison,
    LatencyMinute,
    LatencyObjective,
    LatencyPair,
    Limit,
    RateComparison,
    RateObjective,
    RatePair,
)
from skywalking_provider.judgement.rates import bet_on_pair, bet_on_rate
from tests.judgement.cases import confidences, counts, limits

DIGITS, MINUTES = 50, 25
WORSE_FACTORS, FINE_FACTORS, SHIFTS = (1.5, 2.5, 5, 12), (0.05, 0.3, 0.6), (0.2, 0.5, 1)
Real = Any  # mpmath's numbers

few_examples = settings(max_examples=50)


def real(number: float | str) -> Real:
    return mpmath.mpf(str(number))


def log_density(failures: Real, calls: int, rate: Real) -> Real:
    """Return the logarithm of the density, without the number of orders, which cancels in a ratio."""
    return failures * mpmath.log(rate) + (calls - failures) * mpmath.log(1 - rate)


def rate_alternative(limit: Real, factor: Real) -> Real:
    return min(limit * factor, (1 + limit) / 2) if factor > 1 else limit * factor


def one_side(counts: FailureCounts, limit: Real, factor: Real, *, worse: bool) -> Real:
    failures = real(counts.low if worse else counts.high)
    ratio = log_density(failures, counts.calls, rate_alternative(limit, factor)) - log_density(
        failures, counts.calls, limit
    )
    return ratio / (1 + real("0.001") * (counts.calls - 1))


def two_sides(pair: RatePair, guess: Real, limit: Limit, factor: Real, *, worse: bool) -> Real:
    """Return the likelihood ratio of two rates each, which differ in opposite directions."""
    canary, stable = pair.canary, pair.stable
    difference, slope = real(limit.difference), real(limit.ratio)
    rate = difference + slope * guess
    variance, stable_variance = rate * (1 - rate), guess * (1 - guess)
    step = rate_alternative(rate, factor) - rate
    weight = slope * canary.calls / stable.calls
    stable_step = -step / variance * weight * stable_variance
    # At least a quarter of the capital is kept on stable's side, whichever call comes next.
    furthest = max(-stable_step / guess, stable_step / (1 - guess))
    if furthest > real("0.75"):
        scale = real("0.75") / furthest
        step, stable_step = step * scale, stable_step * scale
    failures = real(canary.low if worse else canary.high)
    stable_failures = real(stable.high if worse else stable.low)
    ratio = log_density(failures, canary.calls, rate + step) - log_density(failures, canary.calls, rate)
    ratio += log_density(stable_failures, stable.calls, guess + stable_step)
    ratio -= log_density(stable_failures, stable.calls, guess)
    harmonic = 1 / (1 / real(canary.calls) + 1 / real(stable.calls))
    return ratio / (1 + 2 * real("0.001") * harmonic)


def guess_before(pairs: list[RatePair], limit: Limit) -> Real:
    """Return the guess of stable's rate from minutes."""
    failures = sum((real(one.stable.low) + real(one.stable.high)) / 2 for one in pairs)
    guess = (failures + real("0.5")) / (100 + sum(one.stable.calls for one in pairs))
    most = min(real("0.5"), (real("0.9") - real(limit.difference)) / real(limit.ratio))
    return max(real("1e-5"), min(guess, most))


def shifted(distance: Real, variance: Real, shift: Real) -> Real:
    """Return the likelihood ratio of two normal densities."""
    return (distance**2 - (distance - shift) ** 2) / (2 * variance)


def worse_evidence(bets: list[list[Real]], alpha: float) -> Real:
    """Return the mean over bets of the sum over starts of weight times product, and the capital that is left."""
    most = real(alpha) ** real("-0.4")
    total = real(0)
    for factors in zip(*bets, strict=True):
        won = [min(mpmath.exp(one), most) for one in factors]
        for start in range(1, len(won) + 1):
            total += mpmath.fprod(won[start - 1 :]) / (start * (start + 1))
    left = 1 - sum(1 / real(start * (start + 1)) for start in range(1, len(bets) + 1))
    return total / len(bets[0]) + left


def fine_evidence(bets: list[list[Real]], beta: float) -> Real:
    """Return the mean over bets of the smallest product since the start or since a minute that reached the limit."""
    most = 4 / real(beta)
    total = real(0)
    for factors in zip(*bets, strict=True):
        won = [(1 + 9 * mpmath.exp(min(one, real(50)))) / 10 for one in factors]
        total += min(mpmath.fprod(won), *(most * mpmath.fprod(won[limited + 1 :]) for limited in range(len(won))))
    return total / len(bets[0])


def assert_agrees(
    test: Any, minutes: list[Any], confidence: Confidence, worse: list[list[Real]], fine: list[list[Real]]
) -> None:
    judge = Judge(test, confidence)
    for number, minute in enumerate(minutes, 1):
        judge.add(minute)
        if number in (1, len(minutes)):
            expected = worse_evidence(worse[:number], confidence.alpha), fine_evidence(fine[:number], confidence.beta)
            found = judge.evidence
            assert found.worse == pytest.approx(float(expected[0]), rel=1e-9, abs=0)
            assert found.fine == pytest.approx(float(expected[1]), rel=1e-9, abs=1e-300)


def bets_of(minutes: list[Any], factors: tuple[float, ...], bet: Callable[[int, Any, Real], Real]) -> list[list[Real]]:
    return [[bet(at, minute, real(factor)) for factor in factors] for at, minute in enumerate(minutes)]


# Calls and failures as of services and not of any number only, so that evidence is neither lost nor limited at once.
ordinary_counts = st.integers(20, 2000).flatmap(
    lambda calls: st.integers(0, calls // 15).map(lambda failures: FailureCounts(calls, failures, failures))
)
apdex_counts = st.builds(
    lambda calls, halves: FailureCounts(calls, min(halves / 2, calls), min(halves / 2, calls)),
    st.integers(1, 200),
    st.integers(0, 40),
)
any_counts = st.one_of(ordinary_counts, ordinary_counts, counts(20_000), apdex_counts)
any_minutes = st.lists(any_counts, min_size=1, max_size=MINUTES)
any_pairs = st.lists(st.builds(RatePair, any_counts, any_counts), min_size=1, max_size=MINUTES)
default_limits = st.just((Limit(0.001, 1.25), Limit(0.01, 3.0)))
latencies = st.builds(LatencyMinute, st.integers(1, 5000), st.floats(0, 2000))
latency_pairs = st.lists(st.builds(LatencyPair, latencies, latencies), min_size=1, max_size=MINUTES)
VARIANCES = st.sampled_from([4.0, 2.5, 3.0, 5.0, 7.5, 22.0])


@few_examples
@given(any_minutes, st.floats(0.0001, 0.2), st.floats(0.2, 0.5), confidences)
def test_evidence_with_objective_agrees_with_fifty_digits(
    minutes: list[FailureCounts], tolerated: float, harmful: float, confidence: Confidence
) -> None:
    with mpmath.workdps(DIGITS):
        worse = bets_of(minutes, WORSE_FACTORS, lambda _, one, g: one_side(one, real(tolerated), g, worse=True))
        fine = bets_of(minutes, FINE_FACTORS, lambda _, one, g: one_side(one, real(harmful), g, worse=False))
        assert_agrees(RateObjective(tolerated, harmful), minutes, confidence, worse, fine)


@few_examples
@given(any_pairs, st.one_of(default_limits, st.tuples(limits, limits)), confidences)
def test_evidence_with_compare_agrees_with_fifty_digits(
    minutes: list[RatePair], both_limits: tuple[Limit, Limit], confidence: Confidence
) -> None:
    def bet(limit: Limit, *, worse: bool) -> Callable[[int, RatePair, Real], Real]:
        return lambda at, one, g: two_sides(one, guess_before(minutes[:at], limit), limit, g, worse=worse)

    tolerated, harmful = both_limits
    with mpmath.workdps(DIGITS):
        worse = bets_of(minutes, WORSE_FACTORS, bet(tolerated, worse=True))
        fine = bets_of(minutes, FINE_FACTORS, bet(harmful, worse=False))
        assert_agrees(RateComparison(tolerated, harmful), minutes, confidence, worse, fine)


@few_examples
@given(latency_pairs, VARIANCES, confidences)
def test_evidence_of_latency_with_compare_agrees_with_fifty_digits(
    minutes: list[LatencyPair], variance: float, confidence: Confidence
) -> None:
    def scatter(one: LatencyPair) -> Real:
        return real("0.01") + real(variance) * (1 / real(one.canary.calls) + 1 / real(one.stable.calls))

    def latency(one: LatencyMinute) -> Real:
        return max(real(one.milliseconds), real(1))

    def worse(_: int, one: LatencyPair, g: Real) -> Real:
        limit = real("1.25") * latency(one.stable) + 10
        return shifted(mpmath.log(latency(one.canary) / limit), scatter(one), g)

    def fine(_: int, one: LatencyPair, g: Real) -> Real:
        limit = 2 * latency(one.stable) + 50
        low = real(variance) / 2 * (1 / real(one.canary.calls) - 1 / real(one.stable.calls))
        return shifted(mpmath.log(limit / latency(one.canary)) - max(real(0), low), scatter(one), g)

    test = LatencyComparison(Limit(10, 1.25), Limit(50, 2), variance)
    with mpmath.workdps(DIGITS):
        assert_agrees(test, minutes, confidence, bets_of(minutes, SHIFTS, worse), bets_of(minutes, SHIFTS, fine))


@few_examples
@given(st.lists(latencies, min_size=1, max_size=MINUTES), VARIANCES, confidences)
def test_evidence_of_latency_with_objective_agrees_with_fifty_digits(
    minutes: list[LatencyMinute], variance: float, confidence: Confidence
) -> None:
    def scatter(one: LatencyMinute) -> Real:
        return real("0.01") + real(variance) / one.calls

    def worse(_: int, one: LatencyMinute, g: Real) -> Real:
        return shifted(mpmath.log(max(real(one.milliseconds), real(1)) / 300), scatter(one), g)

    def fine(_: int, one: LatencyMinute, g: Real) -> Real:
        distance = mpmath.log(600 / max(real(one.milliseconds), real(1))) - real(variance) / 2 / one.calls
        return shifted(distance, scatter(one), g)

    test = LatencyObjective(300, 600, variance)
    with mpmath.workdps(DIGITS):
        assert_agrees(test, minutes, confidence, bets_of(minutes, SHIFTS, worse), bets_of(minutes, SHIFTS, fine))


def close(number: float) -> Any:
    return pytest.approx(number, rel=1e-9, abs=1e-9)


@given(counts(2000), st.floats(1e-4, 0.9), st.sampled_from(WORSE_FACTORS + FINE_FACTORS))
def test_bet_on_rate_is_a_ratio_of_binomial_densities(side: FailureCounts, limit: float, factor: float) -> None:
    other = float(rate_alternative(limit, factor))
    expected = binom.logpmf(side.low, side.calls, other) - binom.logpmf(side.low, side.calls, limit)

    assert bet_on_rate(side.calls, side.low, limit, factor) == close(expected)


@given(counts(500), st.integers(10, 100), st.floats(1e-3, 0.02), st.sampled_from(WORSE_FACTORS + FINE_FACTORS))
def test_bet_on_pair_is_a_ratio_of_binomial_densities(
    side: FailureCounts, more: int, guess: float, factor: float
) -> None:
    stable_calls, limit = side.calls * more, Limit(0.001, 1.25)
    rate = limit.at(guess)
    other = float(rate_alternative(rate, factor))
    # Per call of stable, the step is that of the canary in units of the variance, times the ratio of limit and calls.
    stable_other = guess - (other - rate) / (rate * (1 - rate)) * limit.ratio / more * guess * (1 - guess)
    expected = (
        binom.logpmf(side.low, side.calls, other)
        - binom.logpmf(side.low, side.calls, rate)
        + binom.logpmf(side.high, stable_calls, stable_other)
        - binom.logpmf(side.high, stable_calls, guess)
    )
    assume((guess - stable_other) / guess <= 0.75)
    assume((stable_other - guess) / (1 - guess) <= 0.75)

    assert bet_on_pair(side.calls, side.low, stable_calls, side.high, guess, limit, factor) == close(expected)


@given(latencies, st.sampled_from(range(len(SHIFTS))))
def test_bet_on_latency_is_a_ratio_of_normal_densities(minute: LatencyMinute, number: int) -> None:
    scatter = (0.01 + 4 / minute.calls) ** 0.5
    distance = float(mpmath.log(max(minute.milliseconds, 1) / 300))
    expected = norm.logpdf(distance, SHIFTS[number], scatter) - norm.logpdf(distance, 0, scatter)

    assert LatencyObjective(300, 600).bets(minute).worse[number] == close(expected)
