"""Acceptance: the suggested template finds the bad deploy and only it, and A/A rates agree with the simulation."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Final

import numpy as np
import yaml

from bench.backtest_history.agreement import HISTORIES, LENGTH, SETTINGS, Agreement, Setting, simulate_shares
from bench.backtest_history.history import BAD, GOOD, SERVICE, draw_history
from bench.backtest_history.oap import Oap, feed_history, open_oap
from bench.backtest_history.same_runs import count_differing

SEED: Final = 3
SPLITS: Final = 300


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Result of the acceptance.

    Attributes:
        calls: Number of calls of the history.
        template: Suggested template.
        aborted: Number of aborted runs by the canary's hash.
        promoted: Number of other runs by the canary's hash.
        agreements: Rates of A/A runs.
    """

    calls: int
    template: str
    aborted: dict[str, int]
    promoted: dict[str, int]
    agreements: tuple[Agreement, ...]

    @property
    def finds_the_bad_deploy_only(self) -> bool:
        """Whether all runs of the bad deploy abort, and none of the good one."""
        return self.aborted.keys() == {BAD} and self.promoted.keys() == {GOOD}

    @property
    def holds(self) -> bool:
        """Whether all holds."""
        return self.finds_the_bad_deploy_only and all(one.holds for one in self.agreements)


def run_acceptance(
    folder: Path, home: Path, report: Callable[[str], None], splits: int = SPLITS, histories: int = HISTORIES
) -> Acceptance:
    """Feed an OAP, and run suggest and backtest on it.

    Args:
        folder: Folder for files.
        home: Folder of the lab's built parts.
        report: Receives a line for each step.
        splits: A/A runs of each setting.
        histories: Simulated histories.
    """
    pods = draw_history(np.random.default_rng(SEED))
    calls = int(sum(one.calls.sum() for one in pods.values()))
    with open_oap(folder, home) as oap:
        report(f"OAP at {oap.url}")
        first = feed_history(oap, pods)
        report(f"{calls:,} calls of eight hours fed and stored")
        command = _Command(oap, folder)
        template = command.run("suggest", "--service", SERVICE, "--since", "8h")
        report("template suggested")
        (folder / "suggested.yaml").write_text(template)
        (backtest,) = command.backtest(folder / "suggested.yaml")
        aborted, promoted = _count_deploys(backtest)
        report(f"runs that abort: {aborted}; others: {promoted}")
        reports = [_split(command, folder, setting, splits) for setting in SETTINGS]
        report("A/A runs replayed")
    shares = simulate_shares(SETTINGS, splits, histories)
    agreements = tuple(
        Agreement(
            setting,
            one["summary"]["aborts"]["rate"],
            one["summary"]["aborts"]["runs"],
            mean(simulated),
            stdev(simulated),
            count_differing(one, pods, first, setting),
        )
        for setting, one, simulated in zip(SETTINGS, reports, shares, strict=True)
    )
    return Acceptance(calls, template, aborted, promoted, agreements)


@dataclass(frozen=True, slots=True)
class _Command:
    """The command line on an OAP."""

    oap: Oap
    folder: Path

    def run(self, *arguments: str) -> str:
        """Return the output.

        Raises:
            RuntimeError: It failed.
        """
        program = [sys.executable, "-m", "skywalking_provider", *arguments, "--address", self.oap.url]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{arguments[0]} failed: {done.stderr}")
        return done.stdout

    def backtest(self, template: Path, *arguments: str) -> Sequence[dict[str, Any]]:
        """Return the report of a backtest of eight hours."""
        output = self.run("backtest", "-f", str(template), "--since", "8h", "-o", "json", *arguments)
        report: list[dict[str, Any]] = json.loads(output)
        return report


def _count_deploys(backtest: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the numbers of aborted and of other runs by the canary's hash."""
    counts: tuple[dict[str, int], dict[str, int]] = {}, {}
    for run in backtest["runs"]:
        canary = run["arguments"]["canary-hash"]
        chosen = counts[run["phase"] not in ("Failed", "Error")]
        chosen[canary] = chosen.get(canary, 0) + 1
    return counts


def _split(command: _Command, folder: Path, setting: Setting, splits: int) -> dict[str, Any]:
    """Return the report of A/A runs on the OAP."""
    sides = {"instances": {"podTemplateHash": "{{args.canary-hash}}"}}
    block = {"sli": "success-rate", "service": SERVICE, **sides, **setting.block}
    block["compare"] = {**setting.block["compare"], "instances": {"podTemplateHash": "{{args.stable-hash}}"}}
    metric = {"name": "success-rate", "interval": "1m", "provider": {"plugin": {"skywalking/metrics": block}}}
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "reviews"},
        "spec": {"args": [{"name": "canary-hash"}, {"name": "stable-hash"}], "metrics": [metric]},
    }
    file = folder / "split.yaml"
    file.write_text(yaml.safe_dump(document))
    length = f"{LENGTH.total_seconds() / 60:g}m"
    options = ("--aa", "--splits", str(splits), "--length", length, *setting.arguments)
    (report,) = command.backtest(file, *options)
    return report
