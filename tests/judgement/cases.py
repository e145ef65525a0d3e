"""Strategies for minutes, limits and confidences, as blocks allow them."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from skywalking_provider.judgement import (
    Confidence,
    Evidence,
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

TOLERATED, HARMFUL = Limit(0.001, 1.25), Limit(0.01, 3.0)
MOST_CALLS = 10**7

confidences = st.builds(Confidence, alpha=st.floats(1e-6, 0.05), beta=st.floats(0.001, 0.499))

limits = st.builds(Limit, difference=st.floats(0, 0.5), ratio=st.floats(1, 20)).filter(
    lambda limit: limit.ratio > 1.001 or limit.difference > 1e-6
)
"""Limits that a block allows. Both numbers of no difference to stable are rejected."""


def counts(max_calls: int) -> st.SearchStrategy[FailureCounts]:
    """Return a strategy for the calls of one side, with bounds of the failed ones."""
    return st.integers(1, max_calls).flatmap(
        lambda calls: st.tuples(st.integers(0, calls), st.integers(0, calls)).map(
            lambda bounds: FailureCounts(calls, min(bounds), max(bounds))
        )
    )


def exact_counts(max_calls: int) -> st.SearchStrategy[FailureCounts]:
    """Return a strategy for the calls of one side, with an exact number of failed ones."""
    return counts(max_calls).map(lambda one: FailureCounts(one.calls, one.low, one.low))


def pairs(max_calls: int) -> st.SearchStrategy[RatePair]:
    """Return a strategy for both sides of one minute."""
    return st.builds(RatePair, counts(max_calls), counts(max_calls))


latencies = st.builds(LatencyMinute, st.integers(1, MOST_CALLS), st.floats(0, 1e7))
latency_pairs = st.builds(LatencyPair, latencies, latencies)


def rate_objectives() -> st.SearchStrategy[RateObjective]:
    """Return a strategy for objectives from 0.5 to 1."""
    both = st.tuples(st.floats(1e-6, 0.499), st.floats(1e-6, 0.5)).map(sorted).filter(lambda two: two[0] < two[1])
    return both.map(lambda two: RateObjective(*two))


def rate_comparisons() -> st.SearchStrategy[RateComparison]:
    """Return a strategy for comparisons of rates."""
    return st.builds(RateComparison, limits, limits)


variances = st.sampled_from([2.5, 3.0, 4.0, 5.0, 7.5, 22.0])
milliseconds = st.floats(1, 60_000)
latency_limits = st.builds(Limit, difference=st.floats(0, 60_000), ratio=st.floats(1, 20))


def latency_objectives() -> st.SearchStrategy[LatencyObjective]:
    """Return a strategy for wanted latencies up to a minute."""
    return st.builds(LatencyObjective, milliseconds, milliseconds, variances)


def latency_comparisons() -> st.SearchStrategy[LatencyComparison]:
    """Return a strategy for comparisons of latencies."""
    return st.builds(LatencyComparison, latency_limits, latency_limits, variances)


def runs(max_calls: int, minutes: int) -> st.SearchStrategy[tuple[Any, list[Any]]]:
    """Return a strategy for the bets of each kind, with up to a number of minutes."""

    def run(tests: st.SearchStrategy[Any], of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, list[Any]]]:
        return st.tuples(tests, st.lists(of, min_size=1, max_size=minutes))

    return st.one_of(
        run(rate_objectives(), counts(max_calls)),
        run(rate_comparisons(), pairs(max_calls)),
        run(latency_objectives(), latencies),
        run(latency_comparisons(), latency_pairs),
    )


def judge_minutes(test: Any, minutes: Iterable[Any], confidence: Confidence) -> Evidence:
    """Return the evidence of all minutes."""
    judge = Judge(test, confidence)
    for minute in minutes:
        judge.add(minute)
    return judge.evidence
