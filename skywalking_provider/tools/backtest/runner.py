"""Backtest of one template: its runs in the past, replayed by the service's engine against recorded responses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from skywalking_provider.analysis.evaluation import ConditionEvaluator
from skywalking_provider.analysis.window import closed_window
from skywalking_provider.block import Spec, parse_block
from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline, Entity, Metric, Run, Window
from skywalking_provider.oap import Backend, BackendRegistry
from skywalking_provider.oap.api.metric_values import Role, SeriesRequest, decode_calls
from skywalking_provider.queries.entities import find_service, resolve_service_name
from skywalking_provider.tools.backtest.chunk_cache import ChunkCache
from skywalking_provider.tools.backtest.history import MINUTE, History, floor_minute
from skywalking_provider.tools.backtest.live_reads import LiveReads, ReadProgress
from skywalking_provider.tools.backtest.outcome import MetricOutcome, RunOutcome
from skywalking_provider.tools.backtest.recorded_oap import RecordedOap
from skywalking_provider.tools.backtest.replay import MetricReplay
from skywalking_provider.tools.backtest.replay_backend import ReplayConnection, ReplayRegistry, VirtualClock
from skywalking_provider.tools.backtest.schedule import (
    PlannedRun,
    choose_length,
    plan_runs,
    plan_runs_of_deploys,
    plan_runs_of_versions,
)
from skywalking_provider.tools.backtest.targets import (
    HashArguments,
    Target,
    find_hash_arguments,
    select_targets,
    with_placeholders,
)
from skywalking_provider.tools.backtest.versions import (
    PodVersion,
    VersionCalls,
    find_deploys,
    find_reigns,
    read_version,
)
from skywalking_provider.tools.check.selection import SkippedMetric
from skywalking_provider.tools.check.template import Template

_TIMEOUT_SECONDS = 60.0
_CALLS = "service_instance_cpm"


class BacktestError(Exception):
    """A backtest that cannot be made. The message names the problem and the next step."""


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
        specs = {one.name: parse_block(one.check.metric.block) for one in targets}
        history = await self._open_backends(targets, specs)
        rules = {one.name: one.rules for one in targets}
        length = options.length or choose_length(rules, {name: spec.max_wait for name, spec in specs.items()})
        every = options.every or length
        planned = await self._plan(history, length, every, arguments, targets, specs)
        runs = await self._replay(planned, targets, specs, arguments)
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
        history = History(end - self._options.since, end)
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
        targets: Sequence[Target],
        specs: Mapping[str, Spec],
    ) -> list[PlannedRun]:
        if not arguments.names:
            return plan_runs(history, length, every)
        versions = await self._read_versions(history, targets, specs)
        if arguments.stable:
            return plan_runs_of_deploys(history, length, every, find_deploys(versions), arguments)
        return plan_runs_of_versions(history, length, every, find_reigns(versions), arguments)

    async def _read_versions(
        self, history: History, targets: Sequence[Target], specs: Mapping[str, Spec]
    ) -> list[VersionCalls]:
        """Read the calls of each version of the first service whose instances are selected by their hash."""
        spec = next(
            one
            for one in (specs[target.name] for target in targets)
            if isinstance(one, EntityKeys) and one.instances and one.instances.pod_template_hash
        )
        backend = self._registry().select(spec.backend, spec.address, self._namespace)
        deadline = Deadline.after(_TIMEOUT_SECONDS)
        services = await backend.connection.services(deadline)
        name = resolve_service_name(spec, backend.connection.config.service_name)
        service = find_service(name, spec.layer, services, backend.connection.suggest)
        window = Window(history.start, history.end)
        pods: dict[PodVersion, list[str]] = {}
        for instance in await backend.instances(service, window, deadline):
            if version := read_version(instance):
                pods.setdefault(version, []).append(instance.name)
        self._check()
        return [
            VersionCalls(version, await self._read_calls(backend, service.name, normal=service.normal, pods=names))
            for version, names in pods.items()
        ]

    async def _read_calls(
        self, backend: Backend, service: str, *, normal: bool, pods: Sequence[str]
    ) -> tuple[int, ...]:
        """Return the sum of the pods' calls in each minute of the history."""
        recorded = self._recorded[backend.connection.name]
        requests = [
            SeriesRequest(f"i{at}", _CALLS, Entity(service, normal, instance=pod), role=Role.CALLS)
            for at, pod in enumerate(pods)
        ]
        total: list[int] = []
        for chunk in recorded.history.chunks:
            window = chunk.window(recorded.history.zone)
            mqe = (await backend.connection.features(Deadline.after(_TIMEOUT_SECONDS))).supports_mqe
            data = await recorded.series(requests, window)
            sums = [0] * window.buckets
            for request in requests:
                for at, count in enumerate(decode_calls(data, request, window, mqe=mqe)):
                    sums[at] += count or 0
            total += sums
        first = (recorded.history.start - recorded.history.chunks[0].start) // MINUTE
        self._check()
        return tuple(total[first:])

    async def _replay(
        self,
        planned: Sequence[PlannedRun],
        targets: Sequence[Target],
        specs: Mapping[str, Spec],
        arguments: HashArguments,
    ) -> list[RunOutcome]:
        """Replay one metric after another: the clock is moved through the history for each."""
        progress = self._progress
        progress.runs += len(planned) * len(targets)
        outcomes: list[list[MetricOutcome]] = [[] for _ in planned]
        metrics = self._resolve_metrics(planned, targets, arguments)
        for target in targets:
            self._expect_windows(specs[target.name], target, planned)
            replay = MetricReplay(self._registry(), self._evaluator, self._clock, self._check, self._clock_end)
            for at, run in enumerate(planned):
                outcomes[at].append(
                    await replay.replay(
                        metrics[target.name, run.canary], target.rules, self._build_run(run), run.start, run.end
                    )
                )
                progress.replayed += 1
                progress.changed()
        dry_run = frozenset(one.name for one in targets if one.check.dry_run)
        return [
            RunOutcome(run.start, run.end, tuple(metric_outcomes), dry_run, run.arguments)
            for run, metric_outcomes in zip(planned, outcomes, strict=True)
        ]

    def _resolve_metrics(
        self, planned: Sequence[PlannedRun], targets: Sequence[Target], arguments: HashArguments
    ) -> dict[tuple[str, str], Metric]:
        """Return each metric with the arguments of each version."""
        metrics = {(one.name, ""): one.check.metric for one in targets}
        options = self._options
        for run in {run.canary: run for run in planned if arguments.names}.values():
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
