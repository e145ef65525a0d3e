"""The configured OAPs, and how a block selects one of them."""

import difflib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, OapTime
from skywalking_provider.oap.client import OapClient
from skywalking_provider.oap.clock import OapClock
from skywalking_provider.plan import Read


@dataclass(frozen=True, slots=True)
class Backend:
    """One OAP, connected."""

    name: str
    settle: timedelta
    _client: OapClient
    _clock: OapClock

    async def time(self, deadline: Deadline) -> OapTime:
        """The OAP's clock and zone. Raises as `OapClock.read`."""
        return await self._clock.read(deadline)

    async def read(self, read: Read, deadline: Deadline) -> dict[str, Any]:
        """The `data` of one request. Raises as `OapClient.read`."""
        return await self._client.read(read, deadline)


class Backends:
    """The connected backends by name and by address."""

    def __init__(self, backends: Mapping[str, Backend], addresses: Mapping[str, str]) -> None:
        self._backends = backends
        self._addresses = addresses

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
async def open_backends(configs: Mapping[str, BackendConfig], now: Callable[[], datetime]) -> AsyncIterator[Backends]:
    """Connect nothing yet, but hold the connections of all backends for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        backends: dict[str, Backend] = {}
        addresses: dict[str, str] = {}
        for name, config in configs.items():
            client = await stack.enter_async_context(OapClient(name, config))
            backends[name] = Backend(name, config.settle, client, OapClock(client, config.clock_ttl, now))
            addresses |= dict.fromkeys((config.url, *config.aliases), name)
        yield Backends(backends, addresses)
