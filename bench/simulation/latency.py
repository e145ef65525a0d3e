"""Scenarios of healthy canaries by mean latency.

Single calls are log-normal. Each minute has noise that both sides share, and noise of each side's own. The mean is
rounded down to whole milliseconds, as SkyWalking does. The default is 100 ms with a coefficient of variation of 1.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Final

import numpy as np

from bench.simulation.scenarios import Floats, Ints, draw_levels

_MILLISECONDS: Final = 100.0
_SHARED_NOISE: Final = 0.2
_STABLE_RATIO: Final = 9  # stable's calls per call of the canary
_CALLS_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class LatencyScenario:
    """Traffic and latency of both sides.

    Attributes:
        name: Short name, such as L1.
        title: Description for the tables.
        calls: Calls of the canary per minute; stable has nine times as many.
        variation: Coefficient of variation of single calls.
        canary: Factor of the canary's latency.
        cold: Factors of the canary's latency in the first minutes.
        incident: Factor of both latencies in three minutes, anywhere in the rollout.
        timeouts: Share of the calls that end after 5 s, on both sides.
        own_noise: Deviation of the logarithm of each side's own noise.
        persistence: Correlation of that noise from minute to minute.
        minutes: Duration of the rollout.
    """

    name: str
    title: str
    calls: int = 120
    variation: float = 1.5
    canary: float = 1.0
    cold: Sequence[float] = ()
    incident: float = 1.0
    timeouts: float = 0.0
    own_noise: float = 0.05
    persistence: float = 0.0
    minutes: int = 30


@dataclass(frozen=True, slots=True)
class LatencyRollouts:
    """Calls and mean latency in milliseconds of many rollouts. Rows are rollouts, columns minutes."""

    calls: Ints
    milliseconds: Floats
    stable_calls: Ints
    stable_milliseconds: Floats

    def first(self, runs: int) -> "LatencyRollouts":
        """Return the first rollouts."""
        return LatencyRollouts(
            self.calls[:runs], self.milliseconds[:runs], self.stable_calls[:runs], self.stable_milliseconds[:runs]
        )


LATENCIES: Final = (
    LatencyScenario("L1", "equal, 120/min"),
    LatencyScenario("L2", "CV 4, 30/min", calls=30, variation=4),
    LatencyScenario("L3", "1.15 ×", canary=1.15),
    LatencyScenario("L4", "0.5 % take 5 s, 60/min", calls=60, timeouts=0.005),
    LatencyScenario("L5", "cold start", cold=(3, 2)),
    LatencyScenario("L6", "shared 4 ×", incident=4),
    LatencyScenario("L7", "own noise 15 %, 1,200/min", calls=1200, own_noise=0.15, persistence=0.5),
    LatencyScenario("L8", "12/min", calls=12),
)
"""Canaries that should not be aborted."""


def draw_latencies(scenario: LatencyScenario, runs: int, random: np.random.Generator) -> LatencyRollouts:
    """Return rollouts of a scenario."""
    shape = runs, scenario.minutes
    shared = np.exp(_SHARED_NOISE * random.standard_normal(shape))
    if scenario.incident != 1:
        start, minute = random.integers(0, scenario.minutes - 2, (runs, 1)), np.arange(scenario.minutes)
        shared = np.where((minute >= start) & (minute < start + 3), scenario.incident * shared, shared)
    factor = np.full(scenario.minutes, scenario.canary)
    factor[: len(scenario.cold)] *= scenario.cold
    level = draw_levels(random, runs) * scenario.calls
    sides: list[tuple[Ints, Floats]] = []
    for ratio, latency in ((1, _MILLISECONDS * factor), (_STABLE_RATIO, _MILLISECONDS)):
        calls = random.poisson(np.broadcast_to(level * ratio, shape))
        noise = np.exp(_draw_noise(scenario, shape, random))
        sides.append((calls, np.floor(_mean_of_calls(scenario, calls, latency * shared * noise, random))))
    return LatencyRollouts(*sides[0], *sides[1])


def _draw_noise(scenario: LatencyScenario, shape: tuple[int, int], random: np.random.Generator) -> Floats:
    noise = random.standard_normal(shape)
    for minute in range(1, shape[1]):
        fresh = sqrt(1 - scenario.persistence**2) * noise[:, minute]
        noise[:, minute] = scenario.persistence * noise[:, minute - 1] + fresh
    return scenario.own_noise * noise


def _mean_of_calls(scenario: LatencyScenario, calls: Ints, expected: Floats, random: np.random.Generator) -> Floats:
    """Return the mean latency of the calls of each minute; 0 without calls."""
    number, level = calls.ravel(), expected.ravel()
    rows = max(1, _CALLS_AT_ONCE // max(1, int(number.max(initial=1))))
    means = [
        _mean_of_minutes(scenario, number[at : at + rows], level[at : at + rows], random)
        for at in range(0, len(number), rows)
    ]
    return np.concatenate(means).reshape(calls.shape)


def _mean_of_minutes(scenario: LatencyScenario, calls: Ints, expected: Floats, random: np.random.Generator) -> Floats:
    variance = log(1 + scenario.variation**2)
    deviation, shift = np.float32(sqrt(variance)), np.float32(variance / 2)
    total = int(calls.sum())
    single = random.standard_normal(total, dtype=np.float32)
    single *= deviation
    single -= shift
    np.exp(single, out=single)
    slow = np.zeros(len(calls))
    if scenario.timeouts:
        timed_out = random.random(total, dtype=np.float32) < scenario.timeouts
        single[timed_out] = 0
        slow = 5000 * _sum_by_minute(timed_out, calls)
    return (expected * _sum_by_minute(single, calls) + slow) / np.maximum(calls, 1)


def _sum_by_minute(values: np.ndarray, calls: Ints) -> Floats:
    total: Floats = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.cumsum(calls)
    sums: Floats = total[ends] - total[ends - calls]
    return sums
