"""Plan of the runs of a template: over the whole history, in its deploys, by its versions, or A/A runs."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from skywalking_provider.block import Spec
from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.support.durations import format_duration
from skywalking_provider.tools.backtest.model import BacktestError, SplitOptions
from skywalking_provider.tools.backtest.pod_split import MIN_PODS, count_pods, plan_splits
from skywalking_provider.tools.backtest.replayed_backends import ReplayedBackends
from skywalking_provider.tools.backtest.schedule import (
    PlannedRun,
    plan_runs,
    plan_runs_of_deploys,
    plan_runs_of_versions,
)
from skywalking_provider.tools.backtest.targets import HashArguments
from skywalking_provider.tools.backtest.version_reads import ServicePods, read_service_pods
from skywalking_provider.tools.backtest.versions import find_deploys, find_reigns


class RunPlanner:
    """Planner of the runs of one template.

    Args:
        backends: Replaying backends.
        arguments: Arguments that name versions.
        specs: Blocks of the metrics.

    Attributes:
        pods: Pods of the service in A/A runs; None until they are planned.
    """

    def __init__(self, backends: ReplayedBackends, arguments: HashArguments, specs: Iterable[Spec]) -> None:
        self.pods: ServicePods | None = None
        self._backends = backends
        self._arguments = arguments
        self._specs = list(specs)

    async def plan(self, length: timedelta, every: timedelta) -> list[PlannedRun]:
        """Return the runs that follow from the template's selection.

        Args:
            length: Length of a run.
            every: Time between the starts of runs.
        """
        history, arguments = self._backends.history, self._arguments
        if not arguments.names:
            return plan_runs(history, length, every)
        versions = (await self._read_pods(_selects_by_hash)).versions
        if arguments.stable:
            return plan_runs_of_deploys(history, length, every, find_deploys(versions), arguments)
        return plan_runs_of_versions(history, length, every, find_reigns(versions), arguments)

    async def plan_splits(self, length: timedelta, every: timedelta, split: SplitOptions) -> list[PlannedRun]:
        """Return A/A runs.

        Raises:
            BacktestError: The service has too few pods of one version.
        """
        self.pods = await self._read_pods(lambda _: True)
        calls = self.pods.calls
        planned = plan_splits(self._backends.history, length, every, calls, split.weight, split.count, split.seed)
        if not planned:
            raise BacktestError(
                f"--aa needs {MIN_PODS} pods of one version with calls in a whole run of {format_duration(length)}; the"
                f" version with most pods has {count_pods(calls)} in this history. Scale the service, or choose another"
                " --since"
            )
        return [
            PlannedRun(start, start + length, {"canary": ",".join(one.canary)}, one.version.rollout, split=one)
            for start, one in planned
        ]

    async def _read_pods(self, choose: Callable[[EntityKeys], bool]) -> ServicePods:
        spec = next(one for one in self._specs if isinstance(one, EntityKeys) and choose(one))
        pods = await read_service_pods(spec, self._backends.select(spec), self._backends.recorded_of(spec))
        self._backends.check()
        return pods


def _selects_by_hash(spec: EntityKeys) -> bool:
    return spec.instances is not None and spec.instances.pod_template_hash is not None
