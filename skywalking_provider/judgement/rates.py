"""Bets on failure rates: success rate, and apdex with a failure counted in parts of a call.

Two Bernoulli streams with a margin: Turner & Grünwald, arXiv 2203.09785; minutes as strata with rates of their own:
arXiv 2302.11401. The point of the hypothesis follows from stable's earlier minutes, so nothing is optimised.
The expectation of what a bet wins is at most 1 for any rate of stable in the minute, if the canary keeps its limit.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import log1p
from typing import Final

from skywalking_provider.judgement.evidence import MinuteBets
from skywalking_provider.judgement.limits import Limit
from skywalking_provider.judgement.minute_test import MinuteTest

WORSE_RATIOS: Final = (1.5, 2.5, 5.0, 12.0)
"""Assumed failure rates of a worse canary, as factors of the tolerated limit."""
FINE_RATIOS: Final = (0.05, 0.3, 0.6)
"""Assumed failure rates of a fine canary, as factors of the harmful limit."""
_CORRELATION: Final = 0.001  # between the calls of one minute, for which the bets allow
_MAX_STAKE: Final = 0.75  # of the capital, on stable's side
_MIN_GUESS, _MAX_GUESS, _MAX_LIMIT = 1e-5, 0.5, 0.9
_PRIOR_FAILURES, _PRIOR_CALLS = 0.5, 100
_INCIDENT: Final = 0.5
_CACHED_MINUTES: Final = 4096  # of some 700 bytes each


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """Calls of one side in one minute, with bounds of the number of failed ones.

    Attributes:
        calls: Number of calls; at least one.
        low: Lowest possible number of failed calls. A dissatisfied call of apdex may be a half.
        high: Highest possible number of failed calls.
    """

    calls: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RatePair:
    """Both sides of one minute."""

    canary: FailureCounts
    stable: FailureCounts


class RateObjective(MinuteTest[FailureCounts]):
    """Bets on the canary's failure rate against fixed limits.

    Args:
        tolerated: Highest failure rate that is tolerated.
        harmful: Failure rate that must not pass.
    """

    def __init__(self, tolerated: float, harmful: float) -> None:
        self._tolerated = tolerated
        self._harmful = harmful

    def bets(self, minute: FailureCounts) -> MinuteBets:
        """Return the bets of a minute. Bounds are taken at the end that makes the claim harder."""
        power = 1 / (1 + _CORRELATION * (minute.calls - 1))
        return MinuteBets(
            [power * bet_on_rate(minute.calls, minute.low, self._tolerated, ratio) for ratio in WORSE_RATIOS],
            [power * bet_on_rate(minute.calls, minute.high, self._harmful, ratio) for ratio in FINE_RATIOS],
        )


class RateComparison(MinuteTest[RatePair]):
    """Bets on the canary's failure rate relative to stable's in the same minute.

    Args:
        tolerated: Limit up to which the canary is no worse than tolerated.
        harmful: Limit from which on the canary must not pass.
    """

    def __init__(self, tolerated: Limit, harmful: Limit) -> None:
        self._tolerated = tolerated
        self._harmful = harmful
        # State: stable's calls and failures in the minutes so far.
        self._calls = 0
        self._failures = 0.0

    def bets(self, minute: RatePair) -> MinuteBets:
        """Return the bets of a minute. The guess of stable's rate uses earlier minutes only."""
        bets = _bet_on_minute(minute, self._calls, self._failures, self._tolerated, self._harmful)
        self._calls += minute.stable.calls
        self._failures += (minute.stable.low + minute.stable.high) / 2
        return bets

    def is_incident(self, minute: RatePair) -> bool:
        """Return whether stable itself fails so often in a minute that nothing should be promoted."""
        return self._harmful.at(minute.stable.high / minute.stable.calls) >= _INCIDENT


@lru_cache(_CACHED_MINUTES)  # each look repeats the minutes of the looks before it
def _bet_on_minute(
    minute: RatePair, earlier_calls: int, earlier_failures: float, tolerated: Limit, harmful: Limit
) -> MinuteBets:
    """Return the bets of a minute on both sides.

    Args:
        minute: Both sides. Bounds are taken at the end that makes the claim harder.
        earlier_calls: Number of stable's calls in earlier minutes.
        earlier_failures: Number of stable's failed calls in earlier minutes.
        tolerated: Limit up to which the canary is no worse than tolerated.
        harmful: Limit from which on the canary must not pass.
    """
    canary, stable = minute.canary, minute.stable
    power = 1 / (1 + 2 * _CORRELATION * canary.calls * stable.calls / (canary.calls + stable.calls))
    rate = (earlier_failures + _PRIOR_FAILURES) / (earlier_calls + _PRIOR_CALLS)
    guess = _bounded_guess(rate, tolerated)
    worse = tuple(
        power * bet_on_pair(canary.calls, canary.low, stable.calls, stable.high, guess, tolerated, ratio)
        for ratio in WORSE_RATIOS
    )
    guess = _bounded_guess(rate, harmful)
    fine = tuple(
        power * bet_on_pair(canary.calls, canary.high, stable.calls, stable.low, guess, harmful, ratio)
        for ratio in FINE_RATIOS
    )
    return MinuteBets(worse, fine)


def _bounded_guess(rate: float, limit: Limit) -> float:
    return max(_MIN_GUESS, min(rate, _MAX_GUESS, (_MAX_LIMIT - limit.difference) / limit.ratio))


def bet_on_rate(calls: int, failures: float, limit: float, ratio: float) -> float:
    """Return the logarithm of what a bet on one side's failure rate wins.

    Args:
        calls: Number of calls.
        failures: Number of failed calls.
        limit: Failure rate of the hypothesis: at most this with a ratio above 1, at least this with one below 1.
        ratio: Failure rate that is bet on, as a factor of the limit.
    """
    stake = _stake(limit, ratio)
    return failures * log1p(stake * (1 - limit)) + (calls - failures) * log1p(-stake * limit)


def bet_on_pair(
    calls: int,
    failures: float,
    stable_calls: int,
    stable_failures: float,
    guess: float,
    limit: Limit,
    ratio: float,
) -> float:
    """Return the logarithm of what a bet on both sides' failure rates wins.

    Args:
        calls: Number of the canary's calls.
        failures: Number of the canary's failed calls.
        stable_calls: Number of stable's calls.
        stable_failures: Number of stable's failed calls.
        guess: Stable's failure rate as guessed from earlier minutes.
        limit: Hypothesis: at most this with a ratio above 1, at least this with one below 1.
        ratio: Canary's failure rate that is bet on, as a factor of the limit at the guess.
    """
    rate = limit.at(guess)
    stake = _stake(rate, ratio)
    stable_stake = stake * limit.ratio * calls / stable_calls
    max_stake = _MAX_STAKE / ((1 - guess) if stake > 0 else guess)
    if abs(stable_stake) > max_stake:
        stake *= max_stake / abs(stable_stake)
        stable_stake = max_stake if stake > 0 else -max_stake
    return (
        failures * log1p(stake * (1 - rate))
        + (calls - failures) * log1p(-stake * rate)
        + stable_failures * log1p(-stable_stake * (1 - guess))
        + (stable_calls - stable_failures) * log1p(stable_stake * guess)
    )


def _stake(limit: float, ratio: float) -> float:
    if ratio > 1:
        return (min(limit * ratio, (1 + limit) / 2) / limit - 1) / (1 - limit)
    return -(1 - ratio) / (1 - limit)
