"""The configured OAPs, and how a block selects one of them."""

import difflib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any

from skywalking_provider.config import BackendConfig
from skywalking_provider.entities import Instance, Service
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, OapTime, Window
from skywalking_provider.oap.cached import Cached
from skywalking_provider.oap.catalog import (
    ASK_LAYERS,
    ASK_METRICS,
    ASK_SERVICES,
    ask_endpoints,
    ask_instances,
    ask_services_of,
    instances_from,
    layers_from,
    names_from,
    services_from,
)
from skywalking_provider.oap.client import OapClient
from skywalking_provider.oap.clock import ask_time
from skywalking_provider.oap.dialect import ASK_DIALECT, NEWEST, Dialect, dialect_from
from skywalking_provider.oap.flights import Flights
from skywalking_provider.plan import Read

_DIALECT_SECONDS = 600.0  # an OAP is upgraded seldom, and a wrong dialect is an Error in its own words until then
_NAMES_SECONDS = 60.0
_MISSED_SECONDS = 5.0


class Backend:
    """One OAP, connected, with what is known of it.

    Args:
        name: As configured.
        config: Its configuration.
        client: How to ask it.
        now: Our own clock.
    """

    def __init__(self, name: str, config: BackendConfig, client: OapClient, now: Callable[[], datetime]) -> None:
        self.name = name
        self.settle = config.settle
        self.service_name = config.service_name
        self.ui = config.ui
        self._flights = Flights(name, client.read, config.answer_ttl.total_seconds())
        self._time = Cached(
            f"the clock of backend {name}",
            partial(ask_time, client, now, config.timezone),
            config.clock_ttl.total_seconds(),
        )
        self._dialect = Cached(f"the schema of backend {name}", self._ask_dialect, _DIALECT_SECONDS)
        self._services = Cached(f"the services of backend {name}", self._ask_services, _NAMES_SECONDS)
        self._metrics = Cached(f"the metrics of backend {name}", self._ask_metrics, _NAMES_SECONDS)

    async def read(self, read: Read, deadline: Deadline) -> dict[str, Any]:
        """The `data` of one request. Raises as `OapClient.read`, as all below."""
        return await self._flights.read(read, deadline)

    async def time(self, deadline: Deadline) -> OapTime:
        """The OAP's clock and zone."""
        return await self._time.get(deadline)

    async def dialect(self, deadline: Deadline) -> Dialect:
        """What the OAP understands; one that forbids introspection is taken for a new one."""
        try:
            return await self._dialect.get(deadline)
        except ProviderError as error:
            if error.reason is not Reason.QUERY_INVALID:
                raise
            return NEWEST

    @property
    def known_dialect(self) -> Dialect | None:
        """What the OAP understands, if it was asked already."""
        return self._dialect.peek

    async def services(self, deadline: Deadline, *, fresh: bool = False) -> tuple[Service, ...]:
        """All services; `fresh` where one was missed that may be new."""
        return await self._services.get(deadline, newer_than=_MISSED_SECONDS if fresh else None)

    async def metrics(self, deadline: Deadline) -> tuple[str, ...]:
        """The names of all metrics."""
        return await self._metrics.get(deadline)

    async def instances(self, service: Service, window: Window, deadline: Deadline) -> tuple[Instance, ...]:
        """The instances of a service that lived in a window."""
        return instances_from(await self.read(ask_instances(service, window), deadline))

    async def endpoints(self, service: Service, keyword: str, deadline: Deadline) -> tuple[str, ...]:
        """The endpoints of a service whose names contain a keyword, a hundred at most."""
        return names_from(await self.read(ask_endpoints(service, keyword), deadline), "endpoints")

    async def close(self) -> None:
        """End what is asked for in the background."""
        await self._flights.close()
        for cached in (self._time, self._dialect, self._services, self._metrics):
            await cached.close()

    async def _ask_dialect(self, deadline: Deadline) -> Dialect:
        return dialect_from(await self.read(ASK_DIALECT, deadline))

    async def _ask_services(self, deadline: Deadline) -> tuple[Service, ...]:
        if (await self.dialect(deadline)).mqe:
            return services_from(await self.read(ASK_SERVICES, deadline))
        layers = layers_from(await self.read(ASK_LAYERS, deadline))
        return services_from(await self.read(ask_services_of(layers), deadline)) if layers else ()

    async def _ask_metrics(self, deadline: Deadline) -> tuple[str, ...]:
        return names_from(await self.read(ASK_METRICS, deadline), "metrics")


class Backends:
    """The connected backends by name and by address."""

    def __init__(self, backends: Mapping[str, Backend], addresses: Mapping[str, str]) -> None:
        self._backends = backends
        self._addresses = addresses

    def only(self) -> Backend:
        """The one backend, where there is one."""
        (backend,) = self._backends.values()
        return backend

    def select(self, name: str | None, address: str | None) -> Backend:
        """The backend that a block means.

        Args:
            name: The block's `backend`.
            address: The block's `address`, normalised. It is compared, never dialled.

        Raises:
            ProviderError: BACKEND_UNKNOWN, with the configured names.
        """
        if name is not None and name not in self._backends:
            raise self._unknown(f"backend: {name!r} is not configured", name, self._backends)
        if address is not None:
            owner = self._addresses.get(address)
            if owner is None:
                raise self._unknown(f"address: no configured backend has {address!r}", address, self._addresses)
            if name not in (None, owner):
                raise ProviderError(
                    Reason.BACKEND_UNKNOWN, f"address: {address!r} is backend {owner}, not {name}", "write one of them"
                )
            name = owner
        if name is not None:
            return self._backends[name]
        if len(self._backends) > 1:
            raise ProviderError(
                Reason.BACKEND_UNKNOWN,
                "backend: is required where several are configured",
                f"write one of {', '.join(sorted(self._backends))}",
            )
        return next(iter(self._backends.values()))

    def _unknown(self, what: str, given: str, known: Mapping[str, object]) -> ProviderError:
        near = difflib.get_close_matches(given, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        names = ", ".join(sorted(self._backends))
        return ProviderError(
            Reason.BACKEND_UNKNOWN,
            what,
            f"{hint}backends are {names}; an administrator adds a backend or an alias to the provider's configuration",
        )


@asynccontextmanager
async def open_backends(
    configs: Mapping[str, BackendConfig],
    now: Callable[[], datetime],
    new_client: Callable[[str, BackendConfig], OapClient] = OapClient,
) -> AsyncIterator[Backends]:
    """Connect nothing yet, but hold the connections of all backends for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        backends: dict[str, Backend] = {}
        addresses: dict[str, str] = {}
        for name, config in configs.items():
            client = await stack.enter_async_context(new_client(name, config))
            backends[name] = Backend(name, config, client, now)
            stack.push_async_callback(backends[name].close)
            addresses |= dict.fromkeys((config.url, *config.aliases), name)
        yield Backends(backends, addresses)
