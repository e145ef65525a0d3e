"""Backtest of one template: its runs in the past, replayed by the service's engine against recorded responses."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from skywalking_provider.analysis.evaluation import ConditionEvaluator
from skywalking_provider.analysis.window import closed_window
from skywalking_provider.block import JudgedSpec, Spec, parse_block
from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline, Metric, Run, Window
from skywalking_provider.oap import BackendRegistry
from skywalking_provider.tools.backtest.changed_targets import select_changed_targets
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.model import (
    Backtest,
    BacktestOptions,
    ReplayProgress,
)
from skywalking_provider.tools.backtest.outcome import MetricOutcome, RunOutcome
from skywalking_provider.tools.backtest.replay import MetricReplay
from skywalking_provider.tools.backtest.replay_queries import ReplayQueries
from skywalking_provider.tools.backtest.replayed_backends import ReplayedBackends
from skywalking_provider.tools.backtest.run_planner import RunPlanner
from skywalking_provider.tools.backtest.schedule import PlannedRun, choose_length
from skywalking_provider.tools.backtest.split_query import read_pod_rows
from skywalking_provider.tools.backtest.study import MetricStudy, RunMinutes, collect_minutes
from skywalking_provider.tools.backtest.targets import (
    HashArguments,
    Target,
    find_hash_arguments,
    select_targets,
    with_placeholders,
)
from skywalking_provider.tools.backtest.version_reads import ServicePods
from skywalking_provider.tools.check.template import Template

_TIMEOUT_SECONDS = 60.0
_READ_SECONDS = 24 * 3600.0


class TemplateBacktest:
    """Backtest of one template.

    Args:
        template: The template.
        backends: Connected backends of the configuration.
        configs: Their configurations.
        evaluator: Evaluator of the conditions.
        options: Options.
        progress: Receives the progress.
        now: Clock of this process.
    """

    def __init__(
        self,
        template: Template,
        backends: BackendRegistry,
        configs: Mapping[str, BackendConfig],
        evaluator: ConditionEvaluator,
        options: BacktestOptions,
        progress: ReplayProgress,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._template = template
        self._evaluator = evaluator
        self._options = options
        self._progress = progress
        self._now = now
        self._namespace = options.namespace or template.namespace or "default"
        self._opened = ReplayedBackends(backends, configs, self._namespace, progress.reads)

    async def run(self) -> Backtest:
        """Replay all runs.

        Raises:
            TemplateError: The template is not valid.
            BacktestError: A backend cannot be read.
            ProviderError: A block is not valid.
        """
        options = self._options
        arguments = find_hash_arguments(self._template, options.arg_values)
        values = with_placeholders(arguments, options.arg_values)
        targets, skipped = select_targets(self._template, values, options.metric_names, options.plugin)
        targets, excluded = select_changed_targets(
            targets, split=options.split is not None, injection=options.injection
        )
        skipped += excluded
        specs = {one.name: parse_block(one.check.metric.block) for one in targets}
        await self._opened.open(specs.values(), options, self._now)
        rules = {one.name: one.rules for one in targets}
        length = options.length or choose_length(rules, {name: spec.max_wait for name, spec in specs.items()})
        every = options.every or length
        planner = RunPlanner(self._opened, arguments, specs.values())
        if options.split:
            planned = await planner.plan_splits(length, every, options.split)
        else:
            planned = await planner.plan(length, every)
        metrics = self._resolve_metrics(planned, targets, arguments)
        runs, studies = await self._replay(planned, targets, metrics, planner.pods)
        return Backtest(
            self._template,
            tuple(targets),
            tuple(skipped),
            self._opened.history,
            length,
            every,
            tuple(runs),
            tuple(self._describe(planned, arguments)),
            self._progress.reads.sent,
            self._opened.cache_hits,
            tuple(run.split for run in planned if run.split),
            options.injection,
            tuple(studies),
        )

    async def _replay(
        self,
        planned: Sequence[PlannedRun],
        targets: Sequence[Target],
        metrics: Mapping[tuple[str, str], Metric],
        pods: ServicePods | None,
    ) -> tuple[list[RunOutcome], list[MetricStudy]]:
        """Replay one metric after another: the clock is moved through the history for each."""
        progress = self._progress
        progress.runs += len(planned) * len(targets)
        outcomes: list[list[MetricOutcome]] = [[] for _ in planned]
        studies = []
        opened = self._opened
        for target in targets:
            spec = parse_block(target.check.metric.block)
            self._expect_windows(spec, target, planned)
            queries = await self._build_queries(spec, pods)
            looks_on = self._options.pictures and not spec.judged
            replay = MetricReplay(
                opened.registry, self._evaluator, opened.clock, opened.check, queries.query_of, looks_on=looks_on
            )
            minutes = []
            for at, run in enumerate(planned):
                queries.start_run(run.start, run.split)
                outcomes[at].append(
                    await replay.replay(
                        metrics[target.name, run.canary], target.rules, self._build_run(run), run.start, run.end
                    )
                )
                if self._options.pictures:
                    minutes.append(await self._collect_minutes(metrics[target.name, run.canary], run, queries))
                progress.replayed += 1
                progress.changed()
                await asyncio.sleep(0)  # a cancellation ends it here
            if self._options.pictures:
                studies.append(MetricStudy(target, spec, opened.settle_of(spec), tuple(minutes)))
        dry_run = frozenset(one.name for one in targets if one.check.dry_run)
        runs = [
            RunOutcome(run.start, run.end, tuple(metric_outcomes), dry_run, run.arguments)
            for run, metric_outcomes in zip(planned, outcomes, strict=True)
        ]
        return runs, studies

    async def _collect_minutes(self, metric: Metric, run: PlannedRun, queries: ReplayQueries) -> RunMinutes | None:
        spec = parse_block(metric.block)
        if not isinstance(spec, JudgedSpec):
            return None
        zone, end = self._opened.recorded_of(spec).history.zone, min(run.end, self._opened.history.end)
        window = Window((run.start + spec.start_delay).astimezone(zone), end.astimezone(zone))
        deadline = Deadline.after(_READ_SECONDS)
        return await collect_minutes(queries.query_of(spec), self._opened.select(spec), window, deadline)

    async def _build_queries(self, spec: Spec, pods: ServicePods | None) -> ReplayQueries:
        """Return the queries of a metric: those of A/A runs have the minutes of all pods."""
        opened, injection = self._opened, self._options.injection
        if pods is None or not isinstance(spec, JudgedSpec):
            return ReplayQueries(opened.history.end, injection)
        deadline = Deadline.after(_READ_SECONDS)
        rows = await read_pod_rows(spec, pods, opened.select(spec), opened.recorded_of(spec), deadline)
        opened.check()
        return ReplayQueries(opened.history.end, injection, rows)

    def _resolve_metrics(
        self, planned: Sequence[PlannedRun], targets: Sequence[Target], arguments: HashArguments
    ) -> dict[tuple[str, str], Metric]:
        """Return each metric with the arguments of each version."""
        metrics = {(one.name, ""): one.check.metric for one in targets}
        options = self._options
        for run in {run.canary: run for run in planned if run.canary and arguments.names}.values():
            resolved, _ = select_targets(
                self._template, {**options.arg_values, **run.arguments}, options.metric_names, options.plugin
            )
            metrics |= {(one.name, run.canary): one.check.metric for one in resolved}
        return metrics

    def _build_run(self, run: PlannedRun) -> Run:
        labels = {"rollouts-pod-template-hash": run.canary} if run.canary else {}
        return Run(
            namespace=self._namespace,
            name="backtest",
            labels=labels,
            owner_kind="Rollout" if run.rollout else "",
            owner_name=run.rollout,
            created_at=run.start,
            started_at=run.start,
        )

    def _expect_windows(self, spec: Spec, target: Target, planned: Sequence[PlannedRun]) -> None:
        """Tell the recorded OAP the windows of the looks that do not wait, so that it reads them together."""
        step = max(MINUTE, target.rules.interval or MINUTE)
        recorded, settle = self._opened.recorded_of(spec), self._opened.settle_of(spec)
        windows = dict[Window, None]()
        for run in planned:
            not_before = run.start + spec.start_delay if spec.starts_at_run else None
            at = run.start + target.rules.initial_delay
            while at <= run.end:
                now = at.astimezone(recorded.history.zone)
                windows[closed_window(spec.window_length, settle, now, now, not_before)] = None
                at += step
        recorded.expect_windows(sorted((one for one in windows if one.buckets), key=lambda one: one.end))

    def _describe(self, planned: Sequence[PlannedRun], arguments: HashArguments) -> Iterator[str]:
        """Yield the notes for the user."""
        opened = self._opened
        first = opened.find_first_minute()
        if first is None:
            yield "the OAP has no data of these metrics in the history. Check service, instances and --since"
        elif first - opened.history.start > 30 * MINUTE:
            yield (
                f"the OAP has no data before {first:%Y-%m-%d %H:%M %z}, so its TTL or the life of the service is"
                " shorter than --since"
            )
        if arguments.stable and not planned:
            yield "no two versions of the service had calls at the same time: there is no deploy to replay"
        if opened.rejected_files:
            yield f"{opened.rejected_files} files of the cache were not valid, and were read again from the OAP"
