"""Options and result of a backtest, and its progress."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from skywalking_provider.tools.backtest.history import History
from skywalking_provider.tools.backtest.injection import Injection
from skywalking_provider.tools.backtest.live_reads import ReadProgress
from skywalking_provider.tools.backtest.outcome import RunOutcome
from skywalking_provider.tools.backtest.pod_split import PodSplit
from skywalking_provider.tools.backtest.study import MetricStudy
from skywalking_provider.tools.backtest.targets import Target
from skywalking_provider.tools.check.selection import SkippedMetric
from skywalking_provider.tools.check.template import Template


class BacktestError(Exception):
    """A backtest that cannot be made. The message names the problem and the next step."""


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """Options of A/A runs.

    Attributes:
        weight: Share of the calls that the pretended canary should have.
        count: Number of runs.
        seed: Seed of the splits.
    """

    weight: float = 0.1
    count: int = 300
    seed: int = 1


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """Options of a backtest.

    Attributes:
        since: Length of the history.
        length: Length of a run; None for that of the metrics.
        every: Time between the starts of runs; None for the length.
        namespace: Namespace of the runs; None for that of the template.
        arg_values: Values of arguments.
        metric_names: Metrics to replay; all if empty.
        plugin: Name of the plugin in Argo's configuration.
        max_requests: Requests at a time.
        cache: Folder of the recorded responses; None keeps nothing.
        split: Options of A/A runs; None for runs of the template's own selection.
        injection: Fault of the canary; None without one.
        pictures: Whether the minutes of the runs are kept for pictures.
    """

    since: timedelta
    length: timedelta | None = None
    every: timedelta | None = None
    namespace: str | None = None
    arg_values: Mapping[str, str] = field(default_factory=dict)
    metric_names: Sequence[str] = ()
    plugin: str = "skywalking/metrics"
    max_requests: int = 2
    cache: Path | None = None
    split: SplitOptions | None = None
    injection: Injection | None = None
    pictures: bool = False

    def with_arguments(self, arg_values: Mapping[str, str]) -> "BacktestOptions":
        """Return the same options with values of arguments."""
        return replace(self, arg_values=arg_values)


@dataclass(frozen=True, slots=True)
class Backtest:
    """Replayed runs of one template.

    Attributes:
        template: The template.
        targets: Replayed metrics.
        skipped: Metrics that are not replayed.
        history: Minutes that were replayed.
        length: Latest end of a run after its start.
        every: Time between the starts of runs.
        runs: Outcomes in order of time.
        notes: Notes for the user.
        requests: Number of requests that were sent.
        cached: Number of responses that were found on disk.
        splits: Splits of A/A runs; empty for others.
        injection: Fault of the canary; None without one.
        studies: Minutes of the metrics for pictures, in the order of `targets`; empty without pictures.
    """

    template: Template
    targets: tuple[Target, ...]
    skipped: tuple[SkippedMetric, ...]
    history: History
    length: timedelta
    every: timedelta
    runs: tuple[RunOutcome, ...]
    notes: tuple[str, ...] = ()
    requests: int = 0
    cached: int = 0
    splits: tuple[PodSplit, ...] = ()
    injection: Injection | None = None
    studies: tuple[MetricStudy, ...] = ()


@dataclass(slots=True)
class ReplayProgress:
    """Progress of the replay.

    Attributes:
        reads: Reads of the OAP.
        runs: Runs of a metric to replay.
        replayed: Runs of a metric that were replayed.
        changed: Function that is called after each change.
    """

    reads: ReadProgress
    runs: int = 0
    replayed: int = 0
    changed: Callable[[], None] = lambda: None
