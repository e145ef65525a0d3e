"""Backend of the engine in virtual time: its responses are recorded ones."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from skywalking_provider.config import BackendConfig, CacheConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import UNOBSERVED, Backend, BackendRegistry
from skywalking_provider.oap.api.batching import BatchReader, BatchResult, ExecuteRequest
from skywalking_provider.oap.api.inventory import InventoryInstance, InventoryService
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.oap.api.request import GraphqlRequest, parse_duration_variable
from skywalking_provider.oap.api.server_time import TIME_INFO_REQUEST
from skywalking_provider.oap.connection import BackendConnection
from skywalking_provider.oap.transport.client import OapClient
from skywalking_provider.tools.backtest.recorded_oap import RecordedOap

_CLOCK_TTL: Final = timedelta(hours=1)


class VirtualClock:
    """Clock that the replay moves.

    Args:
        now: First instant, in UTC.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now

    def read(self) -> datetime:
        """Return the current instant."""
        return self.now

    def monotonic(self) -> float:
        """Return the current instant in seconds."""
        return self.now.timestamp()


class ReplayClient(OapClient):
    """Client that responds from recorded responses, with the virtual clock as the OAP's.

    Args:
        name: Name of the backend.
        config: Its configuration.
        recorded: Recorded responses.
        clock: Virtual clock.
    """

    def __init__(self, name: str, config: BackendConfig, recorded: RecordedOap, clock: VirtualClock) -> None:
        super().__init__(name, config)
        self._recorded = recorded
        self._clock = clock
        # State: responses that do not depend on a window.
        self._inventory: dict[str, dict[str, Any]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.worker.close()

    async def read(self, request: GraphqlRequest, deadline: Deadline) -> dict[str, Any]:  # noqa: ARG002
        """Return the recorded response of a request."""
        if request.optional:
            raise BackendUnavailableError("optional requests are not replayed", kind=FailureKind.OVERLOADED)
        zone = self._recorded.history.zone
        if request == TIME_INFO_REQUEST:
            now = self._clock.now
            offset = now.astimezone(zone).strftime("%z")[:5]
            return {"getTimeInfo": {"timezone": offset, "currentTimestamp": round(now.timestamp() * 1000)}}
        duration = request.variables.get("duration")
        if isinstance(duration, Mapping):
            window = parse_duration_variable(duration, zone or UTC)
            return await self._recorded.query(request, window)
        key = request.cache_key
        if key not in self._inventory:
            self._inventory[key] = await self._recorded.inventory(request)
        return self._inventory[key]


class ReplayBatchReader(BatchReader):
    """Batch reader that responds with recorded series, without a request.

    Args:
        recorded: Recorded responses.
    """

    def __init__(self, recorded: RecordedOap) -> None:
        super().__init__(max_answer_bytes=1)
        self._recorded = recorded

    async def read(
        self,
        series_requests: Sequence[SeriesRequest],
        window: Window,
        execute: ExecuteRequest,  # noqa: ARG002
        *,
        mqe: bool,  # noqa: ARG002
    ) -> BatchResult:
        """Return the recorded data of all series."""
        return BatchResult(await self._recorded.series(series_requests, window), ())

    async def read_with_instances(
        self,
        series_requests: Sequence[SeriesRequest],  # noqa: ARG002
        instances_of: Mapping[str, InventoryService],  # noqa: ARG002
        list_characters: int,  # noqa: ARG002
        window: Window,  # noqa: ARG002
        execute: ExecuteRequest,  # noqa: ARG002
        *,
        mqe: bool,  # noqa: ARG002
    ) -> BatchResult | None:
        """Return None: lists and series are recorded separately."""
        return None


class ReplayConnection(BackendConnection):
    """Connection that responds from recorded responses, without the request pipeline."""

    def __init__(self, name: str, config: BackendConfig, recorded: RecordedOap, clock: VirtualClock) -> None:
        plain = {
            "cache": CacheConfig.model_validate({"responseTtl": "0s", "verdictTtl": "0s"}),
            "clock_ttl": _CLOCK_TTL,
        }
        replay_config = config.model_copy(update=plain)
        self.recorded = recorded
        self._client = ReplayClient(name, replay_config, recorded, clock)
        super().__init__(name, replay_config, self._client, UNOBSERVED, clock.read, clock.monotonic)
        self.batch_reader = ReplayBatchReader(recorded)

    async def read(self, request: GraphqlRequest, deadline: Deadline, namespace: str) -> dict[str, Any]:  # noqa: ARG002
        """Return the recorded response of a request."""
        return await self._client.read(request, deadline)


class ReplayBackend(Backend):
    """Backend whose lists of instances are recorded ones."""

    async def instances(
        self,
        service: InventoryService,
        window: Window,
        deadline: Deadline,  # noqa: ARG002
    ) -> tuple[InventoryInstance, ...]:
        """Return the instances of a service that the OAP listed in the hours of a window."""
        assert isinstance(self.connection, ReplayConnection)  # noqa: S101 # only `ReplayRegistry` makes it
        return await self.connection.recorded.instances(service, window)


class ReplayRegistry(BackendRegistry):
    """Registry that selects as the one of the configuration does, and returns the replaying backend.

    Args:
        selected: Registry of the configuration.
        connections: Replaying connections by name of the backend.
    """

    def __init__(
        self,
        selected: Callable[[str | None, str | None, str | None], Backend],
        connections: Mapping[str, BackendConnection],
    ) -> None:
        super().__init__({}, {})
        self._selected = selected
        self._connections = connections

    def select(self, name: str | None, address: str | None, namespace: str | None) -> Backend:
        """Return the replaying backend of the one that the configuration selects."""
        backend = self._selected(name, address, namespace)
        return ReplayBackend(self._connections[backend.connection.name], backend.namespace)
