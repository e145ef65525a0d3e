"""A backend as one namespace sees it: what it may read, asked on its behalf."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap.api.batching import BatchResult
from skywalking_provider.oap.api.features import ServerFeatures
from skywalking_provider.oap.api.inventory import (
    InventoryInstance,
    InventoryService,
    ServiceInventory,
    endpoints_request,
    instances_request,
    parse_instances,
    parse_names,
)
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.server_time import ServerClock
from skywalking_provider.oap.connection import BackendConnection


@dataclass(frozen=True, slots=True)
class Backend:
    """One OAP for one namespace. `Backends.select` makes it: who holds one was allowed to read.

    Attributes:
        connection: The OAP; clock, schema and catalogue are the same for everybody.
        namespace: Whose turn a request takes.
    """

    connection: BackendConnection
    namespace: str

    @property
    def name(self) -> str:
        """As configured."""
        return self.connection.name

    @property
    def config(self) -> BackendConfig:
        """Its configuration."""
        return self.connection.config

    def read(self, request: GraphqlRequest, deadline: Deadline) -> Awaitable[dict[str, Any]]:
        """The `data` of one request. Raises as `OapClient.read`, as all below."""
        return self.connection.read(request, deadline, self.namespace)

    def series(
        self, series_requests: Sequence[SeriesRequest], window: Window, deadline: Deadline, *, mqe: bool
    ) -> Awaitable[BatchResult]:
        """All these series of a window, in as few requests as the OAP takes."""
        return self.connection.batch_reader.read(
            series_requests, window, lambda read: self.read(read, deadline), mqe=mqe
        )

    def credentials_version(self) -> str:
        """Another one whenever the credentials are others; no secret. Raises BackendAway."""
        return self.connection.credentials_version()

    def count_cache_hit(self) -> None:
        """Somebody's question was answered without asking."""
        self.connection.count_cache_hit()

    async def time(self, deadline: Deadline) -> ServerClock:
        """The OAP's clock and zone."""
        return await self.connection.time(deadline)

    async def features(self, deadline: Deadline) -> ServerFeatures:
        """What the OAP understands; one that forbids introspection is taken for a new one."""
        return await self.connection.features(deadline)

    @property
    def known_features(self) -> ServerFeatures | None:
        """What the OAP understands, if it was asked already."""
        return self.connection.known_features

    async def services(self, deadline: Deadline, *, fresh: bool = False) -> ServiceInventory:
        """All services; `fresh` where one was missed that may be new."""
        return await self.connection.services(deadline, fresh=fresh)

    async def metrics(self, deadline: Deadline) -> Mapping[str, str]:
        """The names of all metrics, each with the catalog that it is in, such as SERVICE_INSTANCE."""
        return await self.connection.metrics(deadline)

    async def instances(
        self, service: InventoryService, window: Window, deadline: Deadline
    ) -> tuple[InventoryInstance, ...]:
        """The instances of a service that lived in a window."""
        return parse_instances(await self.read(instances_request(service, window), deadline))

    async def endpoints(self, service: InventoryService, keyword: str, deadline: Deadline) -> tuple[str, ...]:
        """The endpoints of a service whose names contain a keyword, a hundred at most."""
        return parse_names(await self.read(endpoints_request(service, keyword), deadline), "endpoints")
