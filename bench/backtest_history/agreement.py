"""A/A runs of simulated histories with the same noise: the rate that `backtest --aa` should find, and its error.

The histories are drawn by the function that draws the one of the OAP. The product plans the splits, and the vectorised
judge of `make simulate` judges them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any, Final

import numpy as np

from bench.backtest_history.history import BAD, GOOD, MINUTES, OLD, PodHistory, draw_history
from bench.simulation.judges import HARMFUL, TOLERATED
from bench.simulation.scenarios import Ints, Rollouts
from bench.simulation.vectorised import judge_comparison
from skywalking_provider.block.compare import JudgedConfidence
from skywalking_provider.judgement import Confidence, Limit
from skywalking_provider.tools.backtest.history import MINUTE, History
from skywalking_provider.tools.backtest.pod_split import plan_splits
from skywalking_provider.tools.backtest.versions import PodVersion

LENGTH: Final = timedelta(minutes=30)
LOOKS: Final = 29
"""Closed minutes of a run: the last one closes after its end."""
HISTORIES: Final = 60
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DEVIATIONS: Final = 3.0
"""Standard deviations that are within error. With three comparisons, chance exceeds them in 1 of 120 calls."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Limits and fault of A/A runs, for `backtest` and for the simulation.

    Attributes:
        name: Name for the report.
        tolerated: Tolerated limit.
        confidence: Confidence of a worse canary.
        errors: Share of the canary's other calls that fail, too.
    """

    name: str
    tolerated: Limit = TOLERATED
    confidence: float = 0.999
    errors: float = 0.0

    @property
    def block(self) -> dict[str, Any]:
        """Keys of the block."""
        margin = {"ratio": self.tolerated.ratio, "difference": self.tolerated.difference}
        return {"confidence": self.confidence, "maxWait": "1h", "compare": {"tolerated": margin}}

    @property
    def judge_confidence(self) -> Confidence:
        """Confidence of both findings."""
        return Confidence.of(self.confidence, JudgedConfidence().fine)

    @property
    def arguments(self) -> list[str]:
        """Arguments of the command."""
        return ["--inject", f"errors=+{100 * self.errors:g}%"] if self.errors else []


SETTINGS: Final = (
    Setting("default limits"),
    Setting("smallest limits", Limit(0.0001, 1.0), 0.95),
    Setting("default limits, 1 % of the canary's calls fail", errors=0.01),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Rates of aborted A/A runs.

    Attributes:
        setting: The setting.
        measured: Share of the runs of `backtest` on the OAP.
        runs: Number of these runs.
        expected: Mean share of the simulated histories.
        deviation: Standard deviation of the share of one history. It is larger than that of independent runs, since the
            runs share minutes and pods.
        differing: Number of the runs whose outcome differs from that of the vectorised judge on the same minutes.
    """

    setting: Setting
    measured: float
    runs: int
    expected: float
    deviation: float
    differing: int = 0

    @property
    def error(self) -> float:
        """Largest difference that is within error."""
        return _DEVIATIONS * max(self.deviation, sqrt(self.expected * (1 - self.expected) / self.runs)) + 1 / self.runs

    @property
    def holds(self) -> bool:
        """Whether the rates agree within error, and each run with the vectorised judge."""
        return self.differing == 0 and abs(self.measured - self.expected) <= self.error


def simulate_shares(settings: Sequence[Setting], runs: int, histories: int = HISTORIES) -> list[list[float]]:
    """Return the share of aborted runs of each setting in each simulated history."""
    shares: list[list[float]] = [[] for _ in settings]
    for seed in range(histories):
        random = np.random.default_rng([17, seed])
        rollouts, distinct = _split_history(draw_history(random), runs, seed)
        for at, setting in enumerate(settings):
            # Equal splits at the same time have the same injected failures, as in the product.
            extra = random.binomial(rollouts.calls - rollouts.failures, setting.errors)[distinct]
            faulty = Rollouts(
                rollouts.calls, rollouts.failures + extra, rollouts.stable_calls, rollouts.stable_failures
            )
            worse = judge_comparison(faulty, setting.tolerated, HARMFUL, setting.judge_confidence).worse
            shares[at].append(float(worse.any(axis=1).mean()))
    return shares


def _split_history(pods: PodHistory, runs: int, seed: int) -> tuple[Rollouts, Ints]:
    """Return the sides of A/A runs in a history, and the position of the first run that has the same split and time."""
    calls = {
        PodVersion("reviews", version): {
            name: tuple(map(int, one.calls)) for name, one in pods.items() if f"-{version}-" in name
        }
        for version in (OLD, BAD, GOOD)
    }
    history = History(_START, _START + MINUTES * MINUTE)
    planned = plan_splits(history, LENGTH, LENGTH, calls, 0.1, runs, seed)
    columns, seen, distinct = [], dict[tuple[datetime, tuple[str, ...]], int](), []
    for at, (start, split) in enumerate(planned):
        distinct.append(seen.setdefault((start, split.canary), at))
        first = (start - _START) // MINUTE
        minutes = slice(first, first + LOOKS)
        columns.append(
            [
                np.sum([getattr(pods[name], field)[minutes] for name in names], axis=0)
                for names in (split.canary, split.stable)
                for field in ("calls", "failures")
            ]
        )
    return Rollouts(*(np.array([column[at] for column in columns]) for at in range(4))), np.array(distinct)
