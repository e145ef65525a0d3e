"""Bets on latency: the logarithm of a minute's mean or percentile, as if it were normally distributed.

SkyWalking keeps no variance, so the variance is an assumption: at most 10 % noise of a minute's own, and single calls
that scatter by at most twice their mean. What it leads to is known by simulation only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from types import MappingProxyType
from typing import Final

from skywalking_provider.judgement.evidence import MinuteBets
from skywalking_provider.judgement.limits import Limit
from skywalking_provider.judgement.minute_test import MinuteTest

SHIFTS: Final = (0.2, 0.5, 1.0)
"""Assumed differences of the logarithms."""
MEAN_VARIANCE: Final = 4.0
_PERCENTILE_VARIANCES: Final[Mapping[int, float]] = MappingProxyType({50: 2.5, 75: 3.0, 90: 5.0, 95: 7.5, 99: 22.0})
_MINUTE_VARIANCE: Final = 0.1**2
_MIN_MILLISECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class LatencyMinute:
    """Latency of one side in one minute.

    Attributes:
        calls: Number of calls; at least one.
        milliseconds: Mean or percentile of the latency.
    """

    calls: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class LatencyPair:
    """Both sides of one minute."""

    canary: LatencyMinute
    stable: LatencyMinute


def latency_variance(percentile: int | None) -> float:
    """Return the assumed variance of the logarithm of a percentile, or of the mean, times the number of calls."""
    return MEAN_VARIANCE if percentile is None else _PERCENTILE_VARIANCES[percentile]


class LatencyObjective(MinuteTest[LatencyMinute]):
    """Bets on the canary's latency against fixed limits.

    Args:
        wanted: Highest latency that is tolerated, in milliseconds.
        harmful: Latency that must not pass, in milliseconds.
        variance: Variance of the logarithm, as `latency_variance` returns it.
    """

    def __init__(self, wanted: float, harmful: float, variance: float = MEAN_VARIANCE) -> None:
        self._wanted = log(wanted)
        self._harmful = log(harmful)
        self._variance = variance

    def bets(self, minute: LatencyMinute) -> MinuteBets:
        """Return the bets of a minute."""
        inverse, latency = 1 / minute.calls, _log_latency(minute)
        spread = self._variance / 2 * inverse
        return _bets(latency - self._wanted, self._harmful - latency - spread, self._variance * inverse)


class LatencyComparison(MinuteTest[LatencyPair]):
    """Bets on the canary's latency relative to stable's in the same minute.

    Args:
        tolerated: Limit up to which the canary is no worse than tolerated, in milliseconds.
        harmful: Limit from which on the canary must not pass, in milliseconds.
        variance: Variance of the logarithm, as `latency_variance` returns it.
    """

    def __init__(self, tolerated: Limit, harmful: Limit, variance: float = MEAN_VARIANCE) -> None:
        self._tolerated = tolerated
        self._harmful = harmful
        self._variance = variance

    def bets(self, minute: LatencyPair) -> MinuteBets:
        """Return the bets of a minute."""
        latency, stable = _log_latency(minute.canary), max(minute.stable.milliseconds, _MIN_MILLISECONDS)
        inverse, stable_inverse = 1 / minute.canary.calls, 1 / minute.stable.calls
        spread = self._variance / 2 * max(0.0, inverse - stable_inverse)  # the mean of few skewed values reads low
        return _bets(
            latency - log(self._tolerated.at(stable)),
            log(self._harmful.at(stable)) - latency - spread,
            self._variance * (inverse + stable_inverse),
        )


def _bets(worse: float, fine: float, sampling_variance: float) -> MinuteBets:
    variance = _MINUTE_VARIANCE + sampling_variance
    return MinuteBets(
        [(shift * worse - shift * shift / 2) / variance for shift in SHIFTS],
        [(shift * fine - shift * shift / 2) / variance for shift in SHIFTS],
    )


def _log_latency(minute: LatencyMinute) -> float:
    return log(max(minute.milliseconds, _MIN_MILLISECONDS))
