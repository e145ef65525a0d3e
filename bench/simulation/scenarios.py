"""Scenarios of rollouts with failed calls: healthy ones, faults, thin traffic and the harmful limit.

All rates are shares of failed calls. Calls are Poisson around a level that each rollout has for itself, normal with a
standard deviation of 15 %. The reference leaves the distribution of the level and the minutes of the shared incident
open; both are chosen so that the judges of `bench.simulation.baselines` have the published figures.
Calls of one minute fail together with a correlation (beta-binomial), on each side separately.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_LEVEL_DEVIATION: Final = 0.15  # of a rollout's traffic
_LOWEST_LEVEL: Final = 0.1


class Disturbance(Protocol):
    """Deviation from the rates of a scenario."""

    def change_rates(self, random: np.random.Generator, canary: Floats, stable: Floats) -> None:
        """Change the rates of both sides in place. Rows are rollouts, columns minutes."""
        ...


@dataclass(frozen=True, slots=True)
class SharedIncident:
    """Whole minutes in which both sides fail, anywhere but in the last two minutes of a rollout.

    Attributes:
        minutes: Duration.
        lowest: Lowest failure rate of stable.
        highest: Highest failure rate of stable. Each rollout has a rate of its own between both.
        canary: Factor of the canary's failure rate.
    """

    minutes: int = 3
    lowest: float = 0.1
    highest: float = 0.3
    canary: float = 1.15

    def change_rates(self, random: np.random.Generator, canary: Floats, stable: Floats) -> None:
        runs, minutes = stable.shape
        start = random.integers(0, minutes - self.minutes - 1, (runs, 1))
        rate = random.uniform(self.lowest, self.highest, (runs, 1))
        minute = np.arange(minutes)
        during = (minute >= start) & (minute < start + self.minutes)
        stable[:] = np.where(during, rate, stable)
        canary[:] = np.where(during, self.canary * rate, canary)


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Failures of the canary in its first minute."""

    rate: float = 0.2

    def change_rates(self, random: np.random.Generator, canary: Floats, stable: Floats) -> None:  # noqa: ARG002
        canary[:, 0] = self.rate


@dataclass(frozen=True, slots=True)
class Blip:
    """Failures of the canary for less than a minute, anywhere in the rollout, so mostly in two minutes."""

    seconds: float = 50
    rate: float = 0.3

    def change_rates(self, random: np.random.Generator, canary: Floats, stable: Floats) -> None:  # noqa: ARG002
        runs, minutes = canary.shape
        duration = self.seconds / 60
        start = random.uniform(0, minutes - duration, (runs, 1))
        minute = np.arange(minutes)
        share = np.clip(np.minimum(minute + 1, start + duration) - np.maximum(minute, start), 0, 1)
        canary[:] = canary * (1 - share) + self.rate * share


@dataclass(frozen=True, slots=True)
class Scenario:
    """Traffic and failures of both sides.

    Attributes:
        name: Short name, such as H1.
        title: Description for the tables.
        canary: Failure rate of the canary, from the minute `begin` on.
        stable: Failure rate of stable, and of the canary before that minute.
        calls: Calls of both sides per minute.
        weights: Canary's shares of the calls, each for the same part of the rollout.
        correlation: Correlation between the calls of one minute.
        begin: Number of minutes before the fault begins.
        minutes: Duration of the rollout.
        disturbance: Deviation from these rates.
    """

    name: str
    title: str
    canary: float
    stable: float
    calls: int = 1200
    weights: Sequence[float] = (0.1,)
    correlation: float = 0.0
    begin: int = 0
    minutes: int = 30
    disturbance: Disturbance | None = None


@dataclass(frozen=True, slots=True)
class Rollouts:
    """Calls and failed calls of many rollouts. Rows are rollouts, columns minutes."""

    calls: Ints
    failures: Ints
    stable_calls: Ints
    stable_failures: Ints

    def first(self, runs: int) -> "Rollouts":
        """Return the first rollouts."""
        return Rollouts(self.calls[:runs], self.failures[:runs], self.stable_calls[:runs], self.stable_failures[:runs])


HEALTHY: Final = (
    Scenario("H1", "steady 0.5 %", 0.005, 0.005),
    Scenario("H2", "bursty 0.5 %", 0.005, 0.005, correlation=0.002),
    Scenario("H3", "bursty 0.5 %, 1,200/min", 0.005, 0.005, calls=12_000, correlation=0.002),
    Scenario("H4", "shared incident", 0.005, 0.005, disturbance=SharedIncident()),
    Scenario("H5", "cold start", 0.005, 0.005, disturbance=ColdStart()),
    Scenario("H6", "50 s blip", 0.005, 0.005, disturbance=Blip()),
    Scenario("H7", "exactly 1 %", 0.01, 0.01),
    Scenario("H8", "12/min", 0.005, 0.005, calls=120),
    Scenario("H9", "weights 10–80 %", 0.005, 0.005, weights=(0.1, 0.2, 0.4, 0.6, 0.8), correlation=0.001),
    Scenario("H10", "5/min", 0.005, 0.005, calls=50),
    Scenario("H11", "5,000/min, 0.1 %", 0.001, 0.001, calls=50_000, correlation=0.001),
)
"""Canaries that should not be aborted."""

FAULTS: Final = (
    Scenario("F1", "1→5 %", 0.05, 0.01),
    Scenario("F2", "1→5 % from minute 16", 0.05, 0.01, begin=15),
    Scenario("F3", "0.5→2 %", 0.02, 0.005),
    Scenario("F4", "0.5→20 %, 12/min", 0.2, 0.005, calls=120),
    Scenario("F5", "0.1→1 %, 1,200/min", 0.01, 0.001, calls=12_000),
    Scenario("F6", "all calls, 5/min", 1.0, 0.005, calls=50),
    Scenario("F7", "0.5→5 %, 60/min", 0.05, 0.005, calls=600),
)
"""Canaries that should be aborted."""

THIN: Final = (
    Scenario("T12", "healthy, 12/min", 0.005, 0.005, calls=120, correlation=0.001, minutes=60),
    Scenario("T60", "healthy, 60/min", 0.005, 0.005, calls=600, correlation=0.001, minutes=60),
)
"""Healthy canaries with thin traffic, which wait for evidence."""

HARMFUL_OBJECTIVE: Final = tuple(
    Scenario(f"P{calls // 10}", f"3 %, {calls // 10}/min", 0.03, 0.005, calls=calls, minutes=60)
    for calls in (120, 600, 1200)
)
"""Canaries at the harmful limit of an objective of 99 %."""

HARMFUL_COMPARISON: Final = tuple(
    Scenario(f"P{calls // 10}", f"2.5 %, {calls // 10}/min", 0.025, 0.005, calls=calls, minutes=60)
    for calls in (120, 600, 1200)
)
"""Canaries at the harmful limit beside a stable side with 0.5 %."""


def draw_rollouts(scenario: Scenario, runs: int, random: np.random.Generator) -> Rollouts:
    """Return rollouts of a scenario."""
    shape = runs, scenario.minutes
    canary, stable = np.full(shape, scenario.canary), np.full(shape, scenario.stable)
    canary[:, : scenario.begin] = scenario.stable
    if scenario.disturbance:
        scenario.disturbance.change_rates(random, canary, stable)
    weight = np.repeat(scenario.weights, scenario.minutes // len(scenario.weights))
    level = draw_levels(random, runs) * scenario.calls
    calls, stable_calls = random.poisson(level * weight), random.poisson(level * (1 - weight))
    return Rollouts(
        calls,
        random.binomial(calls, _scatter(random, canary, scenario.correlation)),
        stable_calls,
        random.binomial(stable_calls, _scatter(random, stable, scenario.correlation)),
    )


def draw_levels(random: np.random.Generator, runs: int) -> Floats:
    """Return the traffic of each rollout as a factor of the scenario's, as a column."""
    return np.maximum(_LOWEST_LEVEL, 1 + _LEVEL_DEVIATION * random.standard_normal((runs, 1)))


def _scatter(random: np.random.Generator, rates: Floats, correlation: float) -> Floats:
    if not correlation:
        return rates
    size = 1 / correlation - 1
    return random.beta(rates * size, (1 - rates) * size)
