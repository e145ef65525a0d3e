"""Backtest of one template: its runs in the past, replayed by the service's engine against recorded responses."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from skywalking_provider.analysis.evaluation import ConditionEvaluator
from skywalking_provider.analysis.window import closed_window
from skywalking_provider.block import JudgedSpec, Spec, parse_block
from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline, Metric, Run, Window
from skywalking_provider.oap import BackendRegistry
from skywalking_provider.support.durations import format_duration
from skywalking_provider.tools.backtest.changed_targets import select_changed_targets
from skywalking_provider.tools.backtest.chunk_cache import ChunkCache
from skywalking_provider.tools.backtest.history import MINUTE, History, floor_minute
from skywalking_provider.tools.backtest.live_reads import LiveReads
from skywalking_provider.tools.backtest.model import (
    Backtest,
    BacktestError,
    BacktestOptions,
    ReplayProgress,
    SplitOptions,
)
from skywalking_provider.tools.backtest.outcome import MetricOutcome, RunOutcome
from skywalking_provider.tools.backtest.pod_split import MIN_PODS, count_pods, plan_splits
from skywalking_provider.tools.backtest.recorded_oap import RecordedOap
from skywalking_provider.tools.backtest.replay import MetricReplay
from skywalking_provider.tools.backtest.replay_backend import ReplayConnection, ReplayRegistry, VirtualClock
from skywalking_provider.tools.backtest.replay_queries import ReplayQueries
from skywalking_provider.tools.backtest.schedule import (
    PlannedRun,
    choose_length,
    plan_runs,
    plan_runs_of_deploys,
    plan_runs_of_versions,
)
from skywalking_provider.tools.backtest.split_query import read_pod_rows
from skywalking_provider.tools.backtest.study import MetricStudy, RunMinutes, collect_minutes
from skywalking_provider.tools.backtest.targets import (
    HashArguments,
    Target,
    find_hash_arguments,
    select_targets,
    with_placeholders,
)
from skywalking_provider.tools.backtest.version_reads import ServicePods, read_service_pods
from skywalking_provider.tools.backtest.versions import find_deploys, find_reigns
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
        self._backends = backends
        self._configs = configs
        self._evaluator = evaluator
        self._options = options
        self._progress = progress
        self._now = now
        self._namespace = options.namespace or template.namespace or "default"
        self._clock = VirtualClock(now())
        self._clock_end = self._clock.now
        # State: recorded responses and replaying connections by name of the backend.
        self._recorded: dict[str, RecordedOap] = {}
        self._caches: dict[str, ChunkCache] = {}
        self._connections: dict[str, ReplayConnection] = {}
        self._pods: ServicePods | None = None

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
        history = await self._open_backends(targets, specs)
        rules = {one.name: one.rules for one in targets}
        length = options.length or choose_length(rules, {name: spec.max_wait for name, spec in specs.items()})
        every = options.every or length
        planned = await self._plan(history, length, every, arguments, specs)
        runs, studies = await self._replay(planned, targets, specs, arguments)
        return Backtest(
            self._template,
            tuple(targets),
            tuple(skipped),
            history,
            length,
            every,
            tuple(runs),
            tuple(self._notes(history, planned, arguments)),
            self._progress.reads.sent,
            sum(one.hits for one in self._caches.values()),
            tuple(run.split for run in planned if run.split),
            options.injection,
            tuple(studies),
        )

    async def _open_backends(self, targets: Sequence[Target], specs: Mapping[str, Spec]) -> History:
        """Open the replaying backends of all metrics. The history ends with the last minute that is closed on all."""
        selected = {
            backend.connection.name: backend
            for one in targets
            for backend in [self._backends.select(specs[one.name].backend, specs[one.name].address, self._namespace)]
        }
        if not selected:
            raise BacktestError("no metric can be replayed. Set --plugin-name or --metric")
        deadline = Deadline.after(_TIMEOUT_SECONDS)
        ends, zones = [], {}
        for name, backend in selected.items():
            time = await backend.connection.time(deadline)
            settle = max([self._configs[name].settle, *(spec.settle for spec in specs.values() if spec.settle)])
            ends.append(floor_minute(time.to_server(self._now()).astimezone(UTC) - settle))
            zones[name] = time.zone
        end = min(ends)
        history = History(end - self._options.since, end, next(iter(zones.values())))
        for name, backend in selected.items():
            mqe = (await backend.connection.features(deadline)).supports_mqe
            self._caches[name] = ChunkCache(self._options.cache, self._configs[name].url)
            live = LiveReads(backend, self._options.max_requests, self._progress.reads, mqe=mqe)
            self._recorded[name] = RecordedOap(live, self._caches[name], replace(history, zone=zones[name]))
            self._connections[name] = ReplayConnection(name, self._configs[name], self._recorded[name], self._clock)
        self._clock.now = self._clock_end = history.end
        return history

    async def _plan(
        self,
        history: History,
        length: timedelta,
        every: timedelta,
        arguments: HashArguments,
        specs: Mapping[str, Spec],
    ) -> list[PlannedRun]:
        if self._options.split:
            return await self._plan_splits(history, length, every, specs, self._options.split)
        if not arguments.names:
            return plan_runs(history, length, every)
        pods = await self._read_pods(self._first(specs, _selects_by_hash))
        versions = pods.versions
        if arguments.stable:
            return plan_runs_of_deploys(history, length, every, find_deploys(versions), arguments)
        return plan_runs_of_versions(history, length, every, find_reigns(versions), arguments)

    def _first(self, specs: Mapping[str, Spec], choose: Callable[[EntityKeys], bool]) -> EntityKeys:
        return next(one for one in specs.values() if isinstance(one, EntityKeys) and choose(one))

    async def _read_pods(self, spec: EntityKeys) -> ServicePods:
        backend = self._registry().select(spec.backend, spec.address, self._namespace)
        pods = await read_service_pods(spec, backend, self._recorded[backend.connection.name])
        self._check()
        return pods

    async def _plan_splits(
        self, history: History, length: timedelta, every: timedelta, specs: Mapping[str, Spec], split: SplitOptions
    ) -> list[PlannedRun]:
        """Plan A/A runs.

        Raises:
            BacktestError: The service has too few pods of one version.
        """
        self._pods = await self._read_pods(self._first(specs, _is_entity))
        planned = plan_splits(history, length, every, self._pods.calls, split.weight, split.count, split.seed)
        if not planned:
            most = count_pods(self._pods.calls)
            raise BacktestError(
                f"--aa needs {MIN_PODS} pods of one version with calls in a whole run of {format_duration(length)}; the"
                f" version with most pods has {most} in this history. Scale the service, or choose another --since"
            )
        return [
            PlannedRun(start, start + length, {"canary": ",".join(one.canary)}, one.version.rollout, split=one)
            for start, one in planned
        ]

    async def _replay(
        self,
        planned: Sequence[PlannedRun],
        targets: Sequence[Target],
        specs: Mapping[str, Spec],
        arguments: HashArguments,
    ) -> tuple[list[RunOutcome], list[MetricStudy]]:
        """Replay one metric after another: the clock is moved through the history for each."""
        progress = self._progress
        progress.runs += len(planned) * len(targets)
        outcomes: list[list[MetricOutcome]] = [[] for _ in planned]
        studies = []
        metrics = self._resolve_metrics(planned, targets, arguments)
        for target in targets:
            self._expect_windows(specs[target.name], target, planned)
            queries = await self._build_queries(specs[target.name])
            looks_on = self._options.pictures and not specs[target.name].judged
            replay = MetricReplay(
                self._registry(), self._evaluator, self._clock, self._check, queries.query_of, looks_on=looks_on
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
                studies.append(self._build_study(target, specs[target.name], minutes))
        dry_run = frozenset(one.name for one in targets if one.check.dry_run)
        runs = [
            RunOutcome(run.start, run.end, tuple(metric_outcomes), dry_run, run.arguments)
            for run, metric_outcomes in zip(planned, outcomes, strict=True)
        ]
        return runs, studies

    def _build_study(self, target: Target, spec: Spec, minutes: Sequence[RunMinutes | None]) -> MetricStudy:
        name = self._registry().select(spec.backend, spec.address, self._namespace).connection.name
        return MetricStudy(target, spec, spec.settle or self._configs[name].settle, tuple(minutes))

    async def _collect_minutes(self, metric: Metric, run: PlannedRun, queries: ReplayQueries) -> RunMinutes | None:
        spec = parse_block(metric.block)
        if not isinstance(spec, JudgedSpec):
            return None
        backend = self._registry().select(spec.backend, spec.address, self._namespace)
        zone, end = self._recorded[backend.connection.name].history.zone, min(run.end, self._clock_end)
        window = Window((run.start + spec.start_delay).astimezone(zone), end.astimezone(zone))
        return await collect_minutes(queries.query_of(spec), backend, window, Deadline.after(_READ_SECONDS))

    async def _build_queries(self, spec: Spec) -> ReplayQueries:
        """Return the queries of a metric: those of A/A runs have the minutes of all pods."""
        injection = self._options.injection
        if self._pods is None or not isinstance(spec, JudgedSpec):
            return ReplayQueries(self._clock_end, injection)
        backend = self._registry().select(spec.backend, spec.address, self._namespace)
        recorded = self._recorded[backend.connection.name]
        rows = await read_pod_rows(spec, self._pods, backend, recorded, Deadline.after(_READ_SECONDS))
        self._check()
        return ReplayQueries(self._clock_end, injection, rows)

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
        name = self._registry().select(spec.backend, spec.address, self._namespace).connection.name
        recorded, settle = self._recorded[name], spec.settle or self._configs[name].settle
        windows = dict[Window, None]()
        for run in planned:
            not_before = run.start + spec.start_delay if spec.starts_at_run else None
            at = run.start + target.rules.initial_delay
            while at <= run.end:
                now = at.astimezone(recorded.history.zone)
                windows[closed_window(spec.window_length, settle, now, now, not_before)] = None
                at += step
        recorded.expected_windows = sorted((one for one in windows if one.buckets), key=lambda one: one.end)

    def _registry(self) -> ReplayRegistry:
        return ReplayRegistry(self._backends.select, self._connections)

    def _check(self) -> None:
        for name, recorded in self._recorded.items():
            if recorded.failure is not None:
                raise BacktestError(
                    f"backend {name} cannot be read: {recorded.failure}. Call the command again:"
                    f" {self._progress.reads.complete} reads are complete and cached"
                ) from recorded.failure

    def _notes(self, history: History, planned: Sequence[PlannedRun], arguments: HashArguments) -> list[str]:
        notes = []
        starts = [first for one in self._recorded.values() if (first := one.find_first_minute()) is not None]
        if not starts:
            notes.append("the OAP has no data of these metrics in the history. Check service, instances and --since")
        elif min(starts) - history.start > 30 * MINUTE:
            notes.append(
                f"the OAP has no data before {min(starts):%Y-%m-%d %H:%M %z}, so its TTL or the life of the service"
                f" is shorter than --since"
            )
        if arguments.stable and not planned:
            notes.append("no two versions of the service had calls at the same time: there is no deploy to replay")
        rejected = sum(one.rejected for one in self._caches.values())
        if rejected:
            notes.append(f"{rejected} files of the cache were not valid, and were read again from the OAP")
        return notes


def _is_entity(spec: EntityKeys) -> bool:
    return isinstance(spec, EntityKeys)


def _selects_by_hash(spec: EntityKeys) -> bool:
    return spec.instances is not None and spec.instances.pod_template_hash is not None
