"""Starts of the replayed runs in a history. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from skywalking_provider.tools.backtest.argo_rules import MetricRules
from skywalking_provider.tools.backtest.history import MINUTE, History
from skywalking_provider.tools.backtest.pod_split import PodSplit
from skywalking_provider.tools.backtest.targets import HashArguments
from skywalking_provider.tools.backtest.versions import Deploy, Reign

DEFAULT_LENGTH: Final = timedelta(minutes=30)
"""Length of a run whose metrics have no count."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run to replay.

    Attributes:
        start: Start of the run, a whole minute in UTC.
        end: Latest end.
        arguments: Values of the arguments that name versions.
        rollout: Name of the rollout; empty if it is not known.
        canary: Hash of the canary; empty if it is not known.
        split: Pods of both sides in an A/A run; None for others.
    """

    start: datetime
    end: datetime
    arguments: Mapping[str, str] = field(default_factory=dict)
    rollout: str = ""
    canary: str = ""
    split: PodSplit | None = None


def choose_length(rules: Mapping[str, MetricRules], waits: Mapping[str, timedelta]) -> timedelta:
    """Return the length of a run: that of its longest metric, the wait for data included.

    Args:
        rules: Rules by metric.
        waits: `maxWait` of the metrics.
    """
    planned = [
        DEFAULT_LENGTH if one.planned_length is None else one.planned_length + waits[name] + MINUTE
        for name, one in rules.items()
    ]
    longest = max(planned, default=DEFAULT_LENGTH)
    return -(-longest // MINUTE) * MINUTE


def plan_runs(history: History, length: timedelta, every: timedelta) -> list[PlannedRun]:
    """Return runs that follow each other, those that are complete in the history."""
    return _tile(history.start, history.end, length, every)


def plan_runs_of_deploys(
    history: History, length: timedelta, every: timedelta, deploys: Sequence[Deploy], arguments: HashArguments
) -> list[PlannedRun]:
    """Return runs in the minutes of deploys; the first run of each starts with the first call of its canary.

    A run of a deploy that is shorter ends with it.
    """
    runs = []
    for deploy in deploys:
        start, end = history.start + deploy.start * MINUTE, history.start + deploy.end * MINUTE
        values = arguments.values(deploy.canary.pod_template_hash, deploy.stable.pod_template_hash)
        tiled = _tile(start, end, length, every) or [PlannedRun(start, min(end + MINUTE, history.end))]
        runs += [
            PlannedRun(one.start, one.end, values, deploy.canary.rollout, deploy.canary.pod_template_hash)
            for one in tiled
        ]
    return runs


def plan_runs_of_versions(
    history: History, length: timedelta, every: timedelta, reigns: Sequence[Reign], arguments: HashArguments
) -> list[PlannedRun]:
    """Return runs that follow each other, with the newest version in place of the canary."""
    return [
        PlannedRun(
            one.start,
            one.end,
            arguments.values(reign.version.pod_template_hash, ""),
            reign.version.rollout,
            reign.version.pod_template_hash,
        )
        for reign in reigns
        for one in _tile(history.start + reign.start * MINUTE, history.start + reign.end * MINUTE, length, every)
    ]


def _tile(start: datetime, end: datetime, length: timedelta, every: timedelta) -> list[PlannedRun]:
    count = (end - start - length) // every + 1
    return [PlannedRun(start + at * every, start + at * every + length) for at in range(max(0, count))]
