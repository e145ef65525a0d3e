"""Evidence of many rollouts at once, with the formulas of `skywalking_provider.judgement` on arrays.

It computes the same numbers as the judge of the product, which takes too long for millions of minutes.
`bench.simulation.agreement` compares both.
"""

from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np

from bench.simulation.latency import LatencyRollouts
from bench.simulation.scenarios import Flags, Floats, Ints, Rollouts
from skywalking_provider.judgement import Confidence, Limit
from skywalking_provider.judgement.latency import SHIFTS
from skywalking_provider.judgement.rates import FINE_RATIOS, WORSE_RATIOS

_CORRELATION: Final = 0.001
_MAX_STAKE: Final = 0.75
_CAP: Final = 0.4
_MAX_CAPITAL: Final = 1e290
_KEPT: Final = 0.1
_MAX_FINE: Final = 4.0
_MAX_FINE_LOG: Final = 50.0
_INCIDENT: Final = 0.5
_MINUTE_VARIANCE: Final = 0.1**2

Bets = tuple[list[Floats], list[Floats]]
"""Logarithms of what the bets on worse and on fine win in one minute, by assumed size, for each rollout."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Evidence and findings at each look. Rows are rollouts, columns minutes."""

    worse_evidence: Floats
    fine_evidence: Floats
    worse: Flags
    fine: Flags


class VectorisedJudge:
    """Accumulates the evidence of many rollouts, minute by minute.

    Args:
        runs: Number of rollouts.
        confidence: Confidence that is wanted.
    """

    def __init__(self, runs: int, confidence: Confidence) -> None:
        self._confidence = confidence
        self._cap = _CAP * log(1 / confidence.alpha)
        self._max_fine = _MAX_FINE / confidence.beta
        # State of each rollout: number of minutes that count, capital by bet, and whether nothing should be promoted.
        self._minutes = np.zeros(runs)
        self._worse: list[Floats] = []
        self._fine: list[Floats] = []
        self._incident = np.zeros(runs, dtype=bool)
        self._looks: list[tuple[Floats, Floats, Flags, Flags]] = []

    def add(self, bets: Bets, counted: Flags, incident: Flags | None = None) -> None:
        """Add the bets of the next minute in the rollouts in which it counts, and look.

        Args:
            bets: Bets of the minute.
            counted: Whether the minute counts, by rollout.
            incident: Whether stable itself fails in the minute; None for never.
        """
        worse, fine = bets
        self._minutes = self._minutes + counted
        stake = 1 / (np.maximum(self._minutes, 1) * (self._minutes + 1))
        self._worse = [
            np.where(counted, np.minimum(_MAX_CAPITAL, (before + stake) * np.exp(np.minimum(bet, self._cap))), before)
            for before, bet in zip(self._worse or [np.zeros_like(stake)] * len(worse), worse, strict=True)
        ]
        self._fine = [
            np.where(
                counted,
                np.minimum(self._max_fine, before * (_KEPT + (1 - _KEPT) * np.exp(np.minimum(bet, _MAX_FINE_LOG)))),
                before,
            )
            for before, bet in zip(self._fine or [np.ones_like(stake)] * len(fine), fine, strict=True)
        ]
        if incident is not None:
            self._incident = np.where(counted, incident, self._incident)
        self._look()

    def _look(self) -> None:
        worse_evidence = np.sum(self._worse, axis=0) / len(self._worse) + 1 / (self._minutes + 1)
        fine_evidence = np.sum(self._fine, axis=0) / len(self._fine)
        worse = worse_evidence >= self._confidence.worse_evidence
        suspicious = worse_evidence >= np.sqrt(self._confidence.worse_evidence)
        fine = (fine_evidence >= self._confidence.fine_evidence) & ~suspicious & ~self._incident
        self._looks.append((worse_evidence, fine_evidence, worse, fine))

    @property
    def findings(self) -> Findings:
        """Findings of all looks so far."""
        return Findings(*(np.stack(columns, axis=1) for columns in zip(*self._looks, strict=True)))


def judge_objective(rollouts: Rollouts, tolerated: float, harmful: float, confidence: Confidence) -> Findings:
    """Judge the canary's failure rate against fixed limits."""
    judge = VectorisedJudge(len(rollouts.calls), confidence)
    for calls, failures in zip(rollouts.calls.T, rollouts.failures.T, strict=True):
        power = 1 / (1 + _CORRELATION * (calls - 1))
        worse, fine = (
            [power * _bet_on_rate(calls, failures, limit, ratio) for ratio in ratios]
            for limit, ratios in ((tolerated, WORSE_RATIOS), (harmful, FINE_RATIOS))
        )
        judge.add((worse, fine), calls > 0)
    return judge.findings


def judge_comparison(rollouts: Rollouts, tolerated: Limit, harmful: Limit, confidence: Confidence) -> Findings:
    """Judge the canary's failure rate relative to stable's in the same minute."""
    judge = VectorisedJudge(len(rollouts.calls), confidence)
    before_calls, before_failures = np.zeros(len(rollouts.calls)), np.zeros(len(rollouts.calls))
    columns = rollouts.calls.T, rollouts.failures.T, rollouts.stable_calls.T, rollouts.stable_failures.T
    for calls, failures, stable_calls, stable_failures in zip(*columns, strict=True):
        counted = (calls > 0) & (stable_calls > 0)
        # What does not count has any bets, which are not added.
        divisor = np.maximum(stable_calls, 1)
        power = 1 / (1 + 2 * _CORRELATION * calls * stable_calls / np.maximum(calls + stable_calls, 1))
        worse, fine = (
            [power * _bet_on_pair(calls, failures, divisor, stable_failures, guess, limit, ratio) for ratio in ratios]
            for limit, ratios in ((tolerated, WORSE_RATIOS), (harmful, FINE_RATIOS))
            for guess in [_guess(before_calls, before_failures, limit)]
        )
        judge.add((worse, fine), counted, harmful.difference + harmful.ratio * stable_failures / divisor >= _INCIDENT)
        before_calls = before_calls + np.where(counted, stable_calls, 0)
        before_failures = before_failures + np.where(counted, stable_failures, 0)
    return judge.findings


def judge_latency(
    rollouts: LatencyRollouts,
    tolerated: Limit,
    harmful: Limit,
    variance: float,
    confidence: Confidence,
) -> Findings:
    """Judge the canary's mean latency relative to stable's in the same minute.

    Args:
        rollouts: Calls and milliseconds of both sides.
        tolerated: Limit up to which the canary is no worse than tolerated.
        harmful: Limit from which on the canary must not pass.
        variance: Assumed variance of the logarithm of one call.
        confidence: Confidence that is wanted.
    """
    judge = VectorisedJudge(len(rollouts.calls), confidence)
    columns = rollouts.calls.T, rollouts.milliseconds.T, rollouts.stable_calls.T, rollouts.stable_milliseconds.T
    for calls, latency, stable_calls, stable in zip(*columns, strict=True):
        counted = (calls > 0) & (stable_calls > 0)
        inverse, stable_inverse = 1 / np.maximum(calls, 1), 1 / np.maximum(stable_calls, 1)
        canary, beside = np.log(np.maximum(latency, 1)), np.maximum(stable, 1)
        sampling = _MINUTE_VARIANCE + variance * (inverse + stable_inverse)
        spread = variance / 2 * np.maximum(0, inverse - stable_inverse)
        worse = canary - np.log(tolerated.difference + tolerated.ratio * beside)
        fine = np.log(harmful.difference + harmful.ratio * beside) - canary - spread
        bets = [[(shift * one - shift * shift / 2) / sampling for shift in SHIFTS] for one in (worse, fine)]
        judge.add((bets[0], bets[1]), counted)
    return judge.findings


def _stake(limit: Floats | float, ratio: float) -> Floats | float:
    if ratio > 1:
        return (np.minimum(limit * ratio, (1 + limit) / 2) / limit - 1) / (1 - limit)
    return -(1 - ratio) / (1 - limit)


def _bet_on_rate(calls: Ints, failures: Ints, limit: float, ratio: float) -> Floats:
    stake = _stake(limit, ratio)
    return failures * np.log1p(stake * (1 - limit)) + (calls - failures) * np.log1p(-stake * limit)


def _guess(calls: Floats, failures: Floats, limit: Limit) -> Floats:
    highest = min(0.5, (0.9 - limit.difference) / limit.ratio)
    return np.clip((failures + 0.5) / (calls + 100), 1e-5, highest)


def _bet_on_pair(
    calls: Ints, failures: Ints, stable_calls: Ints, stable_failures: Ints, guess: Floats, limit: Limit, ratio: float
) -> Floats:
    rate = limit.difference + limit.ratio * guess
    stake = _stake(rate, ratio)
    stable_stake = stake * limit.ratio * calls / stable_calls
    max_stake = _MAX_STAKE / ((1 - guess) if ratio > 1 else guess)
    scale = np.minimum(1, max_stake / np.maximum(np.abs(stable_stake), 1e-300))
    stake, stable_stake = stake * scale, stable_stake * scale
    return (
        failures * np.log1p(stake * (1 - rate))
        + (calls - failures) * np.log1p(-stake * rate)
        + stable_failures * np.log1p(-stable_stake * (1 - guess))
        + (stable_calls - stable_failures) * np.log1p(stable_stake * guess)
    )
