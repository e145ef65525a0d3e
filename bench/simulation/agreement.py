"""Judge of the product on a sample of rollouts, to check the vectorised one."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bench.simulation.judges import (
    CONFIDENCE,
    HARMFUL,
    HARMFUL_LATENCY,
    HARMFUL_RATE,
    TOLERATED,
    TOLERATED_LATENCY,
    TOLERATED_RATE,
)
from bench.simulation.latency import LatencyRollouts
from bench.simulation.scenarios import Rollouts
from bench.simulation.vectorised import Findings
from skywalking_provider.judgement import (
    FailureCounts,
    Finding,
    Judge,
    LatencyComparison,
    LatencyMinute,
    LatencyPair,
    MinuteTest,
    RateComparison,
    RateObjective,
    RatePair,
    decide,
)

SAMPLE: Final = 200
"""Rollouts of each scenario that the judge of the product judges."""


def judge_objective_sample(rollouts: Rollouts) -> Findings:
    """Judge rollouts one by one against fixed limits."""
    return _judge_all((RateObjective(TOLERATED_RATE, HARMFUL_RATE), _canary_minutes(row)) for row in _rows(rollouts))


def judge_comparison_sample(rollouts: Rollouts) -> Findings:
    """Judge rollouts one by one beside stable."""
    return _judge_all((RateComparison(TOLERATED, HARMFUL), _rate_pairs(row)) for row in _rows(rollouts))


def judge_latency_sample(rollouts: LatencyRollouts) -> Findings:
    """Judge the latency of rollouts one by one beside stable's."""
    return _judge_all(
        (LatencyComparison(TOLERATED_LATENCY, HARMFUL_LATENCY), _latency_pairs(row)) for row in _rows(rollouts)
    )


def largest_difference(sample: Findings, vectorised: Findings) -> float:
    """Return the largest relative difference of the evidence; infinity if a finding differs.

    Args:
        sample: Findings of the first rollouts.
        vectorised: Findings of all rollouts.
    """
    runs = len(sample.worse)
    if not (sample.worse == vectorised.worse[:runs]).all() or not (sample.fine == vectorised.fine[:runs]).all():
        return float("inf")
    pairs = (
        (sample.worse_evidence, vectorised.worse_evidence[:runs]),
        (sample.fine_evidence, vectorised.fine_evidence[:runs]),
    )
    return max(float((np.abs(one - other) / one).max(initial=0)) for one, other in pairs)


def _judge_all(rollouts: Iterator[tuple[MinuteTest[Any], list[Any]]]) -> Findings:
    """Judge the minutes of each rollout. None is a minute that does not count."""
    looks = [[list(column) for column in zip(*_looks(test, minutes), strict=True)] for test, minutes in rollouts]
    return Findings(*(np.array(column) for column in zip(*looks, strict=True)))


def _looks(test: MinuteTest[Any], minutes: list[Any]) -> Iterator[tuple[float, float, bool, bool]]:
    judge = Judge(test, CONFIDENCE)
    for minute in minutes:
        if minute is not None:
            judge.add(minute)
        evidence = judge.evidence
        finding = decide(evidence, CONFIDENCE, held=judge.incident)
        yield evidence.worse, evidence.fine, finding is Finding.WORSE, finding is Finding.FINE


def _rows(rollouts: Rollouts | LatencyRollouts) -> Iterator[list[tuple[Any, ...]]]:
    columns = (getattr(rollouts, name) for name in rollouts.__slots__)
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield list(zip(*row, strict=True))


def _canary_minutes(row: list[tuple[int, int, int, int]]) -> list[FailureCounts | None]:
    return [FailureCounts(calls, failures, failures) if calls else None for calls, failures, _, _ in row]


def _rate_pairs(row: list[tuple[int, int, int, int]]) -> list[RatePair | None]:
    return [
        RatePair(
            FailureCounts(calls, failures, failures), FailureCounts(stable_calls, stable_failures, stable_failures)
        )
        if calls and stable_calls
        else None
        for calls, failures, stable_calls, stable_failures in row
    ]


def _latency_pairs(row: list[tuple[int, float, int, float]]) -> list[LatencyPair | None]:
    return [
        LatencyPair(LatencyMinute(calls, latency), LatencyMinute(stable_calls, stable))
        if calls and stable_calls
        else None
        for calls, latency, stable_calls, stable in row
    ]
