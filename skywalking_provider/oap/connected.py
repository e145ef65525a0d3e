"""One OAP, connected, with what is known of it: what all namespaces that may read it share."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from skywalking_provider.config import BackendConfig
from skywalking_provider.entities import Services
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, OapTime
from skywalking_provider.oap.answers import SETTLED_SECONDS, settled
from skywalking_provider.oap.cached import Cached
from skywalking_provider.oap.catalog import (
    ASK_LAYERS,
    ASK_METRICS,
    ASK_SERVICES,
    ask_services_of,
    layers_from,
    metrics_from,
    services_from,
)
from skywalking_provider.oap.client import OapClient
from skywalking_provider.oap.clock import ask_time
from skywalking_provider.oap.dialect import ASK_DIALECT, NEWEST, Dialect, dialect_from
from skywalking_provider.oap.errand import Errand
from skywalking_provider.oap.flights import Flights
from skywalking_provider.oap.observer import Observer, Source
from skywalking_provider.oap.requests import Requests
from skywalking_provider.oap.series import SeriesReader
from skywalking_provider.oap.slots import Slots
from skywalking_provider.plan import Read

_DIALECT_SECONDS = 600.0  # an OAP is upgraded seldom, and a wrong dialect is an Error in its own words until then
_NAMES_SECONDS = 60.0
_MISSED_SECONDS = 5.0


class Connected:
    """One OAP, connected.

    Args:
        name: As configured.
        config: Its configuration.
        client: How to ask it.
        now: Our own clock.
        observer: Is told what happens.
    """

    def __init__(
        self, name: str, config: BackendConfig, client: OapClient, now: Callable[[], datetime], observer: Observer
    ) -> None:
        self.name = name
        self.config = config
        self.mask = client.credentials.mask
        self.identity = client.credentials.identity
        self._now = now
        self._observer = observer
        self._requests = Requests(name, config, client, now, observer)
        self._flights = Flights(name, self._requests.ask, self._requests.slots, self._lifetime, observer)
        self.series = SeriesReader(config.max_answer_bytes)
        self._time = Cached(f"the clock of backend {name}", self._ask_time, config.clock_ttl.total_seconds())
        self._dialect = Cached(f"the schema of backend {name}", self._ask_dialect, _DIALECT_SECONDS)
        self._services = Cached(f"the services of backend {name}", self._ask_services, _NAMES_SECONDS)
        self._metrics = Cached(f"the metrics of backend {name}", self._ask_metrics, _NAMES_SECONDS)

    def read(self, read: Read, deadline: Deadline, namespace: str) -> Awaitable[dict[str, Any]]:
        """The `data` of one request. Raises as `OapClient.read`, as all below."""
        return self._flights.read(read, deadline, namespace, self.identity())

    def spared(self) -> None:
        """Somebody's question was answered without asking."""
        self._observer.shared(self.name, Source.CACHE)

    async def time(self, deadline: Deadline) -> OapTime:
        """The OAP's clock and zone."""
        return await self._time.get(deadline)

    async def dialect(self, deadline: Deadline) -> Dialect:
        """What the OAP understands; one that forbids introspection is taken for a new one."""
        return await self._dialect.get(deadline)

    @property
    def known_dialect(self) -> Dialect | None:
        """What the OAP understands, if it was asked already."""
        return self._dialect.peek

    async def services(self, deadline: Deadline, *, fresh: bool = False) -> Services:
        """All services; `fresh` where one was missed that may be new."""
        return await self._services.get(deadline, newer_than=_MISSED_SECONDS if fresh else None)

    async def metrics(self, deadline: Deadline) -> Mapping[str, str]:
        """The names of all metrics, each with the catalog that it is in, such as SERVICE_INSTANCE."""
        return await self._metrics.get(deadline)

    @property
    def slots(self) -> Slots:
        """Who asks it and who waits, to look at."""
        return self._requests.slots

    async def close(self) -> None:
        """End what is asked for in the background."""
        await self._flights.close()
        for cached in (self._time, self._dialect, self._services, self._metrics):
            await cached.close()

    async def _ask_time(self, errand: Errand) -> OapTime:
        time = await ask_time(partial(self._requests.ask, errand=errand), self._now, self.config.timezone)
        self._observer.clock_skew(self.name, time.ahead.total_seconds())
        return time

    async def _ask_dialect(self, errand: Errand) -> Dialect:
        try:
            return dialect_from(await self._requests.ask(ASK_DIALECT, errand))
        except ProviderError as error:
            if error.reason is not Reason.QUERY_INVALID:
                raise
            return NEWEST  # kept like an answer, or every measurement would ask in vain

    async def _ask_services(self, errand: Errand) -> Services:
        if (await self.dialect(errand.deadline)).mqe:
            return services_from(await self._requests.ask(ASK_SERVICES, errand))
        layers = layers_from(await self._requests.ask(ASK_LAYERS, errand))
        return services_from(await self._requests.ask(ask_services_of(layers), errand)) if layers else Services()

    async def _ask_metrics(self, errand: Errand) -> Mapping[str, str]:
        return metrics_from(await self._requests.ask(ASK_METRICS, errand))

    def _lifetime(self, read: Read) -> float:
        """How long the answer to a read serves that is asked now."""
        seconds = self.config.read_seconds
        time = self._time.peek
        oap_now = time.at(self._now()) if time else None
        return SETTLED_SECONDS if seconds and settled(read.window, self.config.settle, oap_now) else seconds
