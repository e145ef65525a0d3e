"""A backend as one namespace sees it: what it may read, asked on its behalf."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.config import BackendConfig
from skywalking_provider.entities import Instance, Service, Services
from skywalking_provider.forms.metrics import Wanted
from skywalking_provider.model import Deadline, OapTime, Window
from skywalking_provider.oap.catalog import ask_endpoints, ask_instances, instances_from, names_from
from skywalking_provider.oap.connected import Connected
from skywalking_provider.oap.dialect import Dialect
from skywalking_provider.oap.series import Found
from skywalking_provider.plan import Read


@dataclass(frozen=True, slots=True)
class Backend:
    """One OAP for one namespace. `Backends.select` makes it: who holds one was allowed to read.

    Attributes:
        connected: The OAP; clock, schema and catalogue are the same for everybody.
        namespace: Whose turn a request takes.
    """

    connected: Connected
    namespace: str

    @property
    def name(self) -> str:
        """As configured."""
        return self.connected.name

    @property
    def config(self) -> BackendConfig:
        """Its configuration."""
        return self.connected.config

    def read(self, read: Read, deadline: Deadline) -> Awaitable[dict[str, Any]]:
        """The `data` of one request. Raises as `OapClient.read`, as all below."""
        return self.connected.read(read, deadline, self.namespace)

    def series(self, wanted: Sequence[Wanted], window: Window, deadline: Deadline, *, mqe: bool) -> Awaitable[Found]:
        """All these series of a window, in as few requests as the OAP takes."""
        return self.connected.series.read(wanted, window, lambda read: self.read(read, deadline), mqe=mqe)

    def identity(self) -> str:
        """Another one whenever the credentials are others; no secret. Raises BackendAway."""
        return self.connected.identity()

    def spared(self) -> None:
        """Somebody's question was answered without asking."""
        self.connected.spared()

    async def time(self, deadline: Deadline) -> OapTime:
        """The OAP's clock and zone."""
        return await self.connected.time(deadline)

    async def dialect(self, deadline: Deadline) -> Dialect:
        """What the OAP understands; one that forbids introspection is taken for a new one."""
        return await self.connected.dialect(deadline)

    @property
    def known_dialect(self) -> Dialect | None:
        """What the OAP understands, if it was asked already."""
        return self.connected.known_dialect

    async def services(self, deadline: Deadline, *, fresh: bool = False) -> Services:
        """All services; `fresh` where one was missed that may be new."""
        return await self.connected.services(deadline, fresh=fresh)

    async def metrics(self, deadline: Deadline) -> Mapping[str, str]:
        """The names of all metrics, each with the catalog that it is in, such as SERVICE_INSTANCE."""
        return await self.connected.metrics(deadline)

    async def instances(self, service: Service, window: Window, deadline: Deadline) -> tuple[Instance, ...]:
        """The instances of a service that lived in a window."""
        return instances_from(await self.read(ask_instances(service, window), deadline))

    async def endpoints(self, service: Service, keyword: str, deadline: Deadline) -> tuple[str, ...]:
        """The endpoints of a service whose names contain a keyword, a hundred at most."""
        return names_from(await self.read(ask_endpoints(service, keyword), deadline), "endpoints")
