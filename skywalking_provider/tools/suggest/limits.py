"""Limits that the measured past permits: objectives, and thresholds outside of what chance alone shows. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, exp, inf, lgamma, log, log1p
from typing import Final

from skywalking_provider.block import IndicatorName
from skywalking_provider.tools.suggest.model import Survey
from skywalking_provider.tools.suggest.traffic import IndicatorFacts, measure_indicator, quantile, split_into_parts

_FAILURE_RATES: Final = (
    *(0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4),
)
"""Shares of failed calls that are suggested as limits."""
_FACTOR: Final = 2
"""Distance of a limit from the usual share of failed calls."""
_LATENCY_FACTOR: Final = 1.5
"""Distance of a limit from the usual latency."""
ENOUGH_FAILURES: Final = 3
"""Failed calls from which on the past shows how often calls fail."""
_UNSEEN: Final = 3
"""Failures that a past without any may have hidden, with 95 % confidence (rule of three)."""
_CHANCE: Final = 1e-4
"""Share of the windows in which chance alone may exceed a threshold."""
_WINDOWS: Final = (5, 10, 15, 30)
"""Lengths of a window in minutes that are suggested."""
_ENOUGH_CALLS: Final = 200
"""Calls of a window that are wanted: with fewer, a threshold has to be far from the usual value."""
_MIN_CALLS: Final = 20
_SHARE_OF_CALLS: Final = 0.8
"""Share of the calls of a window in a quiet hour that minCalls is at most."""
_COUNTS: Final = (20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Numbers of calls that are suggested as minCalls."""


@dataclass(frozen=True, slots=True)
class Objective:
    """Objective of a judged block.

    Attributes:
        limit: Share of failed calls, or milliseconds.
        facts: Facts that it follows from.
    """

    limit: float
    facts: IndicatorFacts


@dataclass(frozen=True, slots=True)
class Threshold:
    """Threshold with its window.

    Attributes:
        limit: Share of failed calls, or milliseconds, that is just permitted.
        window: Length of the window in minutes.
        calls: Calls that the canary has in a window of a quiet hour.
        min_calls: Number of calls below which a window counts as without data.
        past: Value that 99 % of the windows of the whole service did not exceed.
        chance: Value that a window of `min_calls` calls exceeds by chance in one of 10,000 cases; 0 for latency.
    """

    limit: float
    window: int
    calls: float
    min_calls: int
    past: float
    chance: float


def place_objective(survey: Survey, name: IndicatorName) -> Objective | None:
    """Return the objective that a service meets with a distance; None if it fails too often for any."""
    facts = measure_indicator(survey, name)
    if name is IndicatorName.LATENCY:
        return Objective(round_up_latency(_LATENCY_FACTOR * facts.usual), facts)
    usual = max(facts.usual, (facts.failures + _UNSEEN) / facts.calls)
    limit = _first(one for one in _FAILURE_RATES if one >= _FACTOR * usual)
    return None if limit is None else Objective(limit, facts)


def place_threshold(survey: Survey, name: IndicatorName, canary_rate: float) -> Threshold | None:
    """Return the threshold of a canary; None if the service fails too often for any.

    Args:
        survey: Past of the service.
        name: Indicator.
        canary_rate: Calls of the canary in a minute of a quiet hour.
    """
    window = next((one for one in _WINDOWS if one * canary_rate >= _ENOUGH_CALLS), _WINDOWS[-1])
    calls = window * canary_rate
    min_calls = max((one for one in _COUNTS if one <= _SHARE_OF_CALLS * calls), default=_MIN_CALLS)
    latency = name is IndicatorName.LATENCY
    parts = split_into_parts(survey.minutes[name], window, min_calls, latency=latency)
    facts = measure_indicator(survey, name)
    past = quantile([one.value for one in parts], 0.99) if parts else facts.usual
    if latency:
        return Threshold(round_up_latency(_LATENCY_FACTOR * past), window, calls, min_calls, past, 0.0)
    usual = max(facts.usual, (facts.failures + _UNSEEN) / facts.calls)
    chance = exceeded_by_chance(usual, min_calls)
    least = max(_FACTOR * usual, chance, past, 2 / min_calls)
    limit = _first(one for one in _FAILURE_RATES if one >= least)
    return None if limit is None else Threshold(limit, window, calls, min_calls, past, chance)


def exceeded_by_chance(rate: float, calls: int) -> float:
    """Return the share of failed calls that chance alone exceeds in one of 10,000 windows.

    It is the quantile of a binomial distribution.

    Args:
        rate: Share of failed calls.
        calls: Number of calls of a window.
    """
    within = 0.0
    for failures in range(calls + 1):
        within += exp(_log_probability(failures, calls, rate))
        if within >= 1 - _CHANCE:
            return failures / calls
    return 1.0


def round_up_latency(milliseconds: float) -> float:
    """Return the next number with two digits, a multiple of 10 at least."""
    step = 10.0
    while milliseconds > 100 * step:
        step *= 10
    return max(10.0, ceil(milliseconds / step) * step)


def _log_probability(failures: int, calls: int, rate: float) -> float:
    if rate >= 1:
        return 0.0 if failures == calls else -inf
    ways = lgamma(calls + 1) - lgamma(failures + 1) - lgamma(calls - failures + 1)
    return ways + failures * log(rate) + (calls - failures) * log1p(-rate)


def _first(numbers: Iterable[float]) -> float | None:
    return next(iter(numbers), None)
