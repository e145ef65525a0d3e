"""Runs of `backtest` on the OAP, judged again by the vectorised judge of `make simulate` on the generated minutes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np

from bench.backtest_history.agreement import LOOKS, Setting
from bench.backtest_history.history import PodHistory
from bench.simulation.judges import HARMFUL
from bench.simulation.scenarios import Ints, Rollouts
from bench.simulation.vectorised import judge_comparison
from skywalking_provider.queries.sides import SideMinute
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.injection import Injection

INJECTION_SEED: Final = 1
"""Default of `--seed`."""


def count_differing(report: Mapping[str, Any], pods: PodHistory, first: int, setting: Setting) -> int:
    """Return the number of A/A runs that one judge fails and the other does not.

    Args:
        report: Report of `backtest` on the OAP.
        pods: History that the OAP was fed with.
        first: First minute of the history since the epoch.
        setting: Limits and fault of the runs.
    """
    fault = Injection(errors=setting.errors, seed=INJECTION_SEED)
    sides = []
    for run, split in zip(report["runs"], report["splits"], strict=True):
        start = datetime.fromisoformat(run["start"])
        canary = split["canary"]
        stable = [name for name in pods if f"-{split['version']}-" in name and name not in canary]
        calls, failures = _sum(pods, canary, start, first)
        failed = [
            fault.change(
                SideMinute(int(calls[at]), int(failures[at]), int(failures[at])),
                f"{(start + at * MINUTE).isoformat()} {','.join(canary)}",
                latency=False,
            ).high
            for at in range(LOOKS)
        ]
        sides.append((calls, np.array(failed, dtype=np.int64), *_sum(pods, stable, start, first)))
    rollouts = Rollouts(*(np.array(columns) for columns in zip(*sides, strict=True)))
    worse = judge_comparison(rollouts, setting.tolerated, HARMFUL, setting.judge_confidence).worse.any(axis=1)
    failed_runs = [run["phase"] == "Failed" for run in report["runs"]]
    return int(np.sum(worse != np.array(failed_runs)))


def _sum(pods: PodHistory, names: Sequence[str], start: datetime, first: int) -> tuple[Ints, Ints]:
    """Return the calls and failures of pods in the closed minutes of a run; zeros after the end of the history."""
    offset = int(start.timestamp()) // 60 - first
    sums = []
    for field in ("calls", "failures"):
        total = np.sum([getattr(pods[name], field)[offset : offset + LOOKS] for name in names], axis=0)
        sums.append(np.pad(total, (0, LOOKS - len(total))))
    return sums[0], sums[1]
