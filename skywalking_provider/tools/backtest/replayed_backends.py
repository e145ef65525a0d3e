"""Replaying backends of a backtest, with the history that all of them have and one virtual clock."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from skywalking_provider.block import Spec
from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Backend, BackendRegistry
from skywalking_provider.tools.backtest.chunk_cache import ChunkCache
from skywalking_provider.tools.backtest.history import History, floor_minute
from skywalking_provider.tools.backtest.live_reads import LiveReads, ReadProgress
from skywalking_provider.tools.backtest.model import BacktestError, BacktestOptions
from skywalking_provider.tools.backtest.recorded_oap import RecordedOap
from skywalking_provider.tools.backtest.replay_backend import ReplayConnection, ReplayRegistry, VirtualClock

_TIMEOUT_SECONDS = 60.0


class ReplayedBackends:
    """Replaying backends by the names of those of the configuration.

    Args:
        backends: Connected backends of the configuration.
        configs: Their configurations.
        namespace: Namespace of the runs.
        progress: Progress of the reads.

    Attributes:
        clock: Virtual clock of all backends.
        history: Minutes that are replayed; empty until `open`.
        registry: Registry that selects a replaying backend.
    """

    def __init__(
        self,
        backends: BackendRegistry,
        configs: Mapping[str, BackendConfig],
        namespace: str,
        progress: ReadProgress,
    ) -> None:
        self._backends = backends
        self._configs = configs
        self._namespace = namespace
        self._progress = progress
        # State: recorded responses, their files and replaying connections by name of the backend.
        self._recorded: dict[str, RecordedOap] = {}
        self._caches: dict[str, ChunkCache] = {}
        self._connections: dict[str, ReplayConnection] = {}
        start = datetime.min.replace(tzinfo=UTC)
        self.clock = VirtualClock(start)
        self.history = History(start, start)
        self.registry = ReplayRegistry(backends.select, self._connections)

    async def open(self, specs: Iterable[Spec], options: BacktestOptions, now: Callable[[], datetime]) -> None:
        """Open the backends of all metrics. The history ends with the last minute that is closed on all.

        Args:
            specs: Blocks of the metrics.
            options: Options of the backtest.
            now: Clock of this process.

        Raises:
            BackendUnavailableError: An OAP is unavailable.
            BacktestError: There is no metric.
        """
        blocks = list(specs)
        selected = {
            backend.connection.name: backend
            for spec in blocks
            for backend in [self._backends.select(spec.backend, spec.address, self._namespace)]
        }
        if not selected:
            raise BacktestError("no metric can be replayed. Set --plugin-name or --metric")
        deadline = Deadline.after(_TIMEOUT_SECONDS)
        ends, zones = [], {}
        for name, backend in selected.items():
            time = await backend.connection.time(deadline)
            settle = max([self._configs[name].settle, *(spec.settle for spec in blocks if spec.settle)])
            ends.append(floor_minute(time.to_server(now()).astimezone(UTC) - settle))
            zones[name] = time.zone
        end = min(ends)
        self.history = History(end - options.since, end, next(iter(zones.values())))
        self.clock.now = end
        for name, backend in selected.items():
            mqe = (await backend.connection.features(deadline)).supports_mqe
            self._caches[name] = ChunkCache(options.cache, self._configs[name].url)
            live = LiveReads(backend, options.max_requests, self._progress, mqe=mqe)
            self._recorded[name] = RecordedOap(live, self._caches[name], replace(self.history, zone=zones[name]))
            self._connections[name] = ReplayConnection(name, self._configs[name], self._recorded[name], self.clock)

    def select(self, spec: Spec) -> Backend:
        """Return the replaying backend of a block."""
        return self.registry.select(spec.backend, spec.address, self._namespace)

    def recorded_of(self, spec: Spec) -> RecordedOap:
        """Return the recorded responses of a block's backend."""
        return self._recorded[self.select(spec).connection.name]

    def settle_of(self, spec: Spec) -> timedelta:
        """Return the delay after its end at which a minute of a block is closed."""
        return spec.settle or self._configs[self.select(spec).connection.name].settle

    def check(self) -> None:
        """Check that no read has failed.

        Raises:
            BacktestError: One has.
        """
        for name, recorded in self._recorded.items():
            if recorded.failure is not None:
                raise BacktestError(
                    f"backend {name} cannot be read: {recorded.failure}. Call the command again:"
                    f" {self._progress.complete} reads are complete and cached"
                ) from recorded.failure

    def find_first_minute(self) -> datetime | None:
        """Return the first minute of the history in which any metric has a value; None without one."""
        starts = (one.find_first_minute() for one in self._recorded.values())
        return min((one for one in starts if one is not None), default=None)

    @property
    def cache_hits(self) -> int:
        """Number of responses that were found on disk."""
        return sum(one.hits for one in self._caches.values())

    @property
    def rejected_files(self) -> int:
        """Number of files on disk that were not valid."""
        return sum(one.rejected for one in self._caches.values())
