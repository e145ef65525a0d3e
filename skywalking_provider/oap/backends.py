"""The configured OAPs, how a block selects one of them, and who may."""

import difflib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import reduce

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.backend import Backend
from skywalking_provider.oap.client import OapClient
from skywalking_provider.oap.connected import OWN, Connected
from skywalking_provider.oap.observer import UNOBSERVED, Observer


class Backends:
    """The connected backends by name and by address."""

    def __init__(self, backends: Mapping[str, Connected], addresses: Mapping[str, str]) -> None:
        self._backends = backends
        self._addresses = addresses

    def select(self, name: str | None, address: str | None, namespace: str | None) -> Backend:
        """The backend that a block means, for a namespace: the only way to one, before any cache or request.

        Args:
            name: The block's `backend`.
            address: The block's `address`, normalised. It is compared, never dialled.
            namespace: Whose run asks; None where nobody's does, and nothing will be read.

        Raises:
            ProviderError: BACKEND_UNKNOWN, with the configured names.
        """
        return Backend(self._meant(name, address), OWN if namespace is None else namespace)

    def masked(self, text: str) -> str:
        """A text without the credentials of any backend, which what an OAP says may repeat."""
        return reduce(lambda words, backend: backend.mask(words), self._backends.values(), text)

    def masked_json(self, text: str) -> str:
        """The same for JSON, which it stays."""
        return reduce(lambda words, backend: backend.mask.json(words), self._backends.values(), text)

    def _meant(self, name: str | None, address: str | None) -> Connected:
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
    observer: Observer = UNOBSERVED,
) -> AsyncIterator[Backends]:
    """Connect nothing yet, but hold the connections of all backends for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        backends: dict[str, Connected] = {}
        addresses: dict[str, str] = {}
        for name, config in configs.items():
            client = await stack.enter_async_context(new_client(name, config))
            backends[name] = Connected(name, config, client, now, observer)
            stack.push_async_callback(backends[name].close)
            addresses |= dict.fromkeys((config.url, *config.aliases), name)
        yield Backends(backends, addresses)
