"""Evidence of any minutes: bounds, monotonicity in the counts, and replay."""

from copy import deepcopy
from dataclasses import replace
from math import inf, isfinite, log1p
from random import Random
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from skywalking_provider import judgement
from skywalking_provider.judgement import (
    Confidence,
    Evidence,
    FailureCounts,
    Finding,
    RateComparison,
    RateObjective,
    RatePair,
    decide,
    rates,
)
from skywalking_provider.judgement.evidence import MinuteBets
from tests.judgement.cases import (
    HARMFUL,
    MOST_CALLS,
    TOLERATED,
    confidences,
    counts,
    exact_counts,
    judge_minutes,
    pairs,
    rate_comparisons,
    rate_objectives,
    runs,
)

ROUNDING = 1 + 1e-9
LONGEST_RUN = 480
RUNS = runs(MOST_CALLS, 6)


def last_bets(test: Any, minutes: list[Any]) -> MinuteBets:
    for minute in minutes[:-1]:
        test.bets(minute)
    return test.bets(minutes[-1])


def assert_none_higher(some: Any, others: Any) -> None:
    """Check bets or evidence beside those of other counts, up to rounding."""
    for one, other in zip(some, others, strict=True):
        assert one <= other + abs(other) * 1e-9 + 1e-9


one_failed_call_more = st.tuples(rate_comparisons(), st.lists(pairs(1000), max_size=3), pairs(1000))


@given(one_failed_call_more)
def test_one_more_failed_call_of_the_canary_makes_it_no_better(case: tuple[Any, list[Any], RatePair]) -> None:
    test, before, last = case
    assume(last.canary.high < last.canary.calls)
    more = replace(last.canary, low=last.canary.low + 1, high=last.canary.high + 1)

    fewer_failed = last_bets(deepcopy(test), [*before, last])
    more_failed = last_bets(test, [*before, replace(last, canary=more)])

    assert_none_higher(fewer_failed.worse, more_failed.worse)
    assert_none_higher(more_failed.fine, fewer_failed.fine)


@given(one_failed_call_more)
def test_one_more_failed_call_of_stable_makes_the_canary_no_worse(case: tuple[Any, list[Any], RatePair]) -> None:
    test, before, last = case
    assume(last.stable.high < last.stable.calls)
    more = replace(last.stable, low=last.stable.low + 1, high=last.stable.high + 1)

    fewer_failed = last_bets(deepcopy(test), [*before, last])
    more_failed = last_bets(test, [*before, replace(last, stable=more)])

    assert_none_higher(more_failed.worse, fewer_failed.worse)
    assert_none_higher(fewer_failed.fine, more_failed.fine)


@given(st.tuples(rate_objectives(), st.lists(counts(1000), min_size=1, max_size=4)), st.data(), confidences)
def test_evidence_of_bounds_is_at_most_that_of_any_counts_between(
    case: tuple[Any, list[FailureCounts]], data: st.DataObject, confidence: Confidence
) -> None:
    test, minutes = case
    exact = [replace(one, low=k, high=k) for one in minutes for k in [data.draw(st.integers(one.low, one.high))]]

    of_bounds, of_exact = (judge_minutes(test, one, confidence) for one in (minutes, exact))

    assert of_bounds.worse <= of_exact.worse * ROUNDING
    assert of_bounds.fine <= of_exact.fine * ROUNDING


@given(st.tuples(rate_comparisons(), st.lists(pairs(1000), max_size=3), pairs(1000)), st.data(), confidences)
def test_evidence_of_bounds_in_the_last_compared_minute_is_at_most_that_of_any_counts_between(
    case: tuple[Any, list[RatePair], RatePair], data: st.DataObject, confidence: Confidence
) -> None:
    test, before, last = case
    canary, stable = (data.draw(st.integers(side.low, side.high)) for side in (last.canary, last.stable))
    exact = RatePair(replace(last.canary, low=canary, high=canary), replace(last.stable, low=stable, high=stable))

    of_bounds = judge_minutes(deepcopy(test), [*before, last], confidence)
    of_exact = judge_minutes(test, [*before, exact], confidence)

    assert of_bounds.worse <= of_exact.worse * ROUNDING
    assert of_bounds.fine <= of_exact.fine * ROUNDING


@given(runs(MOST_CALLS, 2), confidences)
@example((RateObjective(0.01, 0.03), [FailureCounts(MOST_CALLS, MOST_CALLS, MOST_CALLS)] * 2), Confidence())
def test_two_minutes_are_never_worse(case: tuple[Any, list[Any]], confidence: Confidence) -> None:
    evidence = judge_minutes(*case, confidence)

    assert evidence.worse <= 0.32 * confidence.worse_evidence
    assert decide(evidence, confidence) is not Finding.WORSE


@given(
    st.floats(1e-6, 0.1),
    st.lists(st.integers(20, MOST_CALLS), min_size=3, max_size=3),
    st.floats(1e-6, 0.03),
)
def test_three_minutes_in_which_all_calls_fail_are_worse(tolerated: float, calls: list[int], alpha: float) -> None:
    confidence = Confidence(alpha)

    evidence = judge_minutes(RateObjective(tolerated, 0.5), [FailureCounts(n, n, n) for n in calls], confidence)

    assert evidence.worse >= 1.1 * confidence.worse_evidence
    assert decide(evidence, confidence) is Finding.WORSE


@given(RUNS, confidences)
def test_evidence_has_the_capital_that_is_not_staked_and_a_maximum(
    case: tuple[Any, list[Any]], confidence: Confidence
) -> None:
    evidence = judge_minutes(*case, confidence)

    assert evidence.worse >= 1 / (len(case[1]) + 1)
    assert 0 <= evidence.fine <= 4 * confidence.fine_evidence * ROUNDING


def test_evidence_without_minutes_is_the_initial_capital() -> None:
    assert judge_minutes(RateObjective(0.01, 0.03), [], Confidence()) == Evidence(1.0, 1.0)


@settings(max_examples=30)
@given(runs(MOST_CALLS, 4), confidences)
@example((RateObjective(0.01, 0.03), [FailureCounts(MOST_CALLS, MOST_CALLS, MOST_CALLS)]), Confidence(1e-6))
@example((RateObjective(0.01, 0.03), [FailureCounts(MOST_CALLS, 0, 0)]), Confidence(1e-6))
def test_evidence_of_the_longest_run_is_finite(case: tuple[Any, list[Any]], confidence: Confidence) -> None:
    test, minutes = case

    evidence = judge_minutes(test, (minutes * LONGEST_RUN)[:LONGEST_RUN], confidence)

    assert isfinite(evidence.worse)
    assert isfinite(evidence.fine)
    assert evidence.worse >= 1 / (LONGEST_RUN + 1)
    assert evidence.fine >= 0


@given(
    st.one_of(
        st.tuples(rate_objectives(), st.lists(counts(MOST_CALLS), min_size=1, max_size=3)),
        st.tuples(rate_comparisons(), st.lists(pairs(MOST_CALLS), min_size=1, max_size=3)),
    )
)
def test_rate_bets_compute_logarithms_of_factors_of_at_least_a_twentieth(case: tuple[Any, list[Any]]) -> None:
    arguments = list[float]()

    def recorded(argument: float) -> float:
        arguments.append(argument)
        return log1p(argument)

    rates._bet_on_minute.cache_clear()  # a remembered minute computes nothing
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates, "log1p", recorded)
        last_bets(*case)

    assert arguments
    assert all(-0.95 - 1e-12 <= one < inf for one in arguments)


@given(RUNS, confidences)
def test_replay_of_the_first_minutes_gives_the_evidence_that_the_judge_had(
    case: tuple[Any, list[Any]], confidence: Confidence
) -> None:
    test, minutes = case
    judge = judgement.Judge(deepcopy(test), confidence)

    for number, minute in enumerate(minutes, 1):
        judge.add(minute)

        assert repr(judge_minutes(deepcopy(test), minutes[:number], confidence)) == repr(judge.evidence)


@pytest.mark.parametrize("failures", [4, 6, 9, 20, 60, 120])
def test_higher_tolerated_rate_never_raises_the_evidence_of_a_bad_minute(failures: int) -> None:
    minute = FailureCounts(120, failures, failures)
    tolerated = [0.001 * 1.2**step for step in range(20)]

    bets = [RateObjective(rate, 0.5).bets(minute).worse for rate in tolerated]
    evidence = [judge_minutes(RateObjective(rate, 0.5), [minute], Confidence()).worse for rate in tolerated]

    bad = [one for one, all_bets in zip(evidence, bets, strict=True) if min(all_bets) > 0]
    assert len(bad) > 1
    assert bad == sorted(bad, reverse=True)


def share_needed(minutes: list[FailureCounts], alpha: float) -> float:
    """Return the evidence as a share of what finds the canary worse."""
    return judge_minutes(RateObjective(0.01, 0.03), minutes, Confidence(alpha)).worse * alpha


ordinary_minutes = st.lists(st.builds(FailureCounts, st.just(120), *[st.integers(0, 2)] * 2), max_size=8)
ALPHAS = st.floats(1e-6, 0.05)


@given(ordinary_minutes, st.lists(exact_counts(200), max_size=2), st.randoms(), ALPHAS, ALPHAS)
def test_higher_confidence_is_no_easier_to_reach_with_two_bad_minutes_among_ordinary_ones(
    ordinary: list[FailureCounts], bad: list[FailureCounts], random: Random, some: float, other: float
) -> None:
    minutes = [*ordinary, *bad]
    random.shuffle(minutes)

    assert share_needed(minutes, min(some, other)) <= share_needed(minutes, max(some, other)) * ROUNDING


def test_third_bad_minute_can_be_worse_at_a_higher_confidence_only() -> None:
    """The most that a minute wins grows with the confidence, so that no property holds for three bad minutes."""
    minutes = [FailureCounts(600, 22, 22)] * 3

    assert share_needed(minutes, 0.05) < 1 <= share_needed(minutes, 0.001)


def test_guess_of_a_minute_uses_earlier_minutes_only() -> None:
    minute = RatePair(FailureCounts(120, 6, 6), FailureCounts(1080, 11, 11))
    test = RateComparison(TOLERATED, HARMFUL)
    first, second = test.bets(minute), test.bets(minute)

    assert first.worse[2] * (1 + 0.216) == pytest.approx(
        rates.bet_on_pair(120, 6, 1080, 11, 0.5 / 100, TOLERATED, 5), rel=1e-9
    )
    assert second.worse[2] * (1 + 0.216) == pytest.approx(
        rates.bet_on_pair(120, 6, 1080, 11, 11.5 / 1180, TOLERATED, 5), rel=1e-9
    )
