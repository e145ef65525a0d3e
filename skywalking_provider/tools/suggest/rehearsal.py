"""Backtests of the suggested template: how often it would have aborted a rollout in the past."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median
from typing import Any, Final

from skywalking_provider.analysis.evaluation import ConditionEvaluator
from skywalking_provider.block import IndicatorName
from skywalking_provider.config import BackendConfig
from skywalking_provider.oap import BackendRegistry
from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.backtest.model import (
    Backtest,
    BacktestError,
    BacktestOptions,
    ReplayProgress,
    SplitOptions,
)
from skywalking_provider.tools.backtest.outcome import Rate, Summary, summarize_metric
from skywalking_provider.tools.backtest.pod_split import MIN_PODS
from skywalking_provider.tools.backtest.runner import TemplateBacktest
from skywalking_provider.tools.check.template import Template
from skywalking_provider.tools.suggest.margins import is_noisy
from skywalking_provider.tools.suggest.model import Form, Plan, Survey

_SPLITS: Final = 100
"""A/A runs. Without an aborted one, the false-abort rate is 3.7 % at most with 95 % confidence."""

_ENOUGH_RUNS: Final = 10
"""Runs from which on the interval of a rate says anything."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Past runs of the suggested template.

    Attributes:
        splits: A/A runs; None without enough pods, or for another form than a comparison.
        past: Runs of past deploys, or of the whole past; None if there were none.
    """

    splits: Backtest | None
    past: Backtest | None

    @property
    def noisy(self) -> dict[IndicatorName, Summary]:
        """Outcomes of the A/A runs of the metrics of which too many abort."""
        if self.splits is None:
            return {}
        measured = {one.name for one in self.splits.targets}
        summaries = {name: summarize_metric(name, self.splits.runs) for name in IndicatorName if name in measured}
        return {name: one for name, one in summaries.items() if is_noisy(one)}

    def comments(self) -> dict[str, list[str]]:
        """Return the comments on each metric."""
        comments: dict[str, list[str]] = {}
        for backtest, describe in ((self.splits, _describe_splits), (self.past, _describe_past)):
            for target in backtest.targets if backtest else ():
                assert backtest is not None  # noqa: S101 # it has targets
                summary = summarize_metric(target.name, backtest.runs)
                if summary.aborts.runs:
                    comments.setdefault(target.name, []).append(describe(backtest, summary))
        return comments


class Rehearser:
    """Backtests of suggested templates.

    Args:
        backends: Connected backends of the configuration.
        configs: Their configurations.
        evaluator: Evaluator of conditions.
        options: Options of the backtests.
        progress: Receives the progress.
        now: Clock, at the instant of the survey.
    """

    def __init__(
        self,
        backends: BackendRegistry,
        configs: Mapping[str, BackendConfig],
        evaluator: ConditionEvaluator,
        options: BacktestOptions,
        progress: ReplayProgress,
        now: Callable[[], datetime],
    ) -> None:
        self._backends = backends
        self._configs = configs
        self._evaluator = evaluator
        self._options = options
        self._progress = progress
        self._now = now

    async def rehearse(self, template: Template, plan: Plan, survey: Survey, weight: float) -> Rehearsal:
        """Replay a template in the past of its service.

        Args:
            template: The template.
            plan: Its plan.
            survey: Past of the service.
            weight: Canary's share of the calls in percent.
        """
        splits = None
        if plan.form is Form.COMPARE and survey.most_pods >= MIN_PODS:
            split = SplitOptions(min(50.0, max(1.0, weight)) / 100, _SPLITS)
            try:
                splits = await self._replay(template, replace(self._options, split=split))
            except BacktestError:  # the pods did not have calls in a whole run
                splits = None
        past = await self._replay(template, self._options)
        return Rehearsal(splits, past if past.runs else None)

    def _replay(self, template: Template, options: BacktestOptions) -> Coroutine[Any, Any, Backtest]:
        return TemplateBacktest(
            template, self._backends, self._configs, self._evaluator, options, self._progress, self._now
        ).run()


def _describe_splits(backtest: Backtest, summary: Summary) -> str:
    weight = median(one.weight for one in backtest.splits)
    return (
        f"False aborts: {_describe_rate(summary.aborts, 'A/A run')}, which compare pods of one version"
        f" (median share of the calls {100 * weight:.0f} %)."
    )


def _describe_past(backtest: Backtest, summary: Summary) -> str:
    aborted = [
        f"{run.start.astimezone(backtest.history.zone):%m-%d %H:%M}{_describe_arguments(run.arguments)}"
        for run in backtest.runs
        for one in run.metrics
        if one.metric == summary.name and one.phase.value in ("Failed", "Error")
    ]
    deploys = any(run.arguments.get("stable-hash") for run in backtest.runs)
    what = "run of past deploys" if deploys else "run of the past"
    plural = "runs of past deploys" if deploys else "runs of the past"
    shown = f": {', '.join(aborted[:3])}{', …' if len(aborted) > 3 else ''}" if aborted else ""
    return f"Backtest: it would have aborted {_describe_rate(summary.aborts, what, plural)}{shown}."


def _describe_arguments(arguments: Mapping[str, str]) -> str:
    return f" ({arguments['canary-hash']})" if arguments.get("canary-hash") else ""


def _describe_rate(rate: Rate, noun: str, plural: str = "") -> str:
    interval = rate.interval
    shown = interval is not None and not rate.events and rate.runs >= _ENOUGH_RUNS
    high = f" (at most {100 * interval[1]:.3g} % with 95 % confidence)" if interval and shown else ""
    return f"{rate.events} of {format_count(rate.runs, noun, plural)}{high}"
