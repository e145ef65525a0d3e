"""Registry of the configured OAPs: selects the backend of a block and enforces `allowedNamespaces`."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import lru_cache, reduce
from typing import Final

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.backend import Backend
from skywalking_provider.oap.connection import BackendConnection
from skywalking_provider.oap.observer import UNOBSERVED, Observer
from skywalking_provider.oap.traffic.shared_request import INTERNAL_TENANT
from skywalking_provider.oap.transport.client import OapClient
from skywalking_provider.support.redaction import Redactor
from skywalking_provider.support.suggester import ComparisonBudget
from skywalking_provider.support.suggestions import did_you_mean

_CACHE_SIZE: Final = 256


class BackendRegistry:
    """Connected backends by name and by address."""

    def __init__(self, backends: Mapping[str, BackendConnection], addresses: Mapping[str, str]) -> None:
        self._backends = backends
        self._addresses = addresses
        # Cached: the result depends on the configuration only.
        self._cached_select = lru_cache(_CACHE_SIZE)(self._select)
        self._redactors = lru_cache(_CACHE_SIZE)(self._select_redactors)

    def select(self, name: str | None, address: str | None, namespace: str | None) -> Backend:
        """Return the backend that a block names. This is the only access to a backend, its caches and its requests.

        A backend that a namespace may not use does not exist for it: the message is the same in both cases.

        Args:
            name: The block's `backend`.
            address: The block's `address`, normalised. It is compared and never connected to.
            namespace: Namespace of the run; None without a run, where nothing is read.

        Raises:
            ProviderError: BACKEND_NOT_FOUND, with the names that the namespace may use.
        """
        return self._cached_select(name, address, namespace)

    def _select(self, name: str | None, address: str | None, namespace: str | None) -> Backend:
        allowed = {known: one for known, one in self._backends.items() if one.config.allows(namespace)}
        addresses = {known: owner for known, owner in self._addresses.items() if owner in allowed}
        for_namespace = "" if namespace is None else f" for namespace {namespace}"
        return Backend(
            _select_backend(name, address, allowed, addresses, for_namespace),
            INTERNAL_TENANT if namespace is None else namespace,
        )

    @property
    def restricted(self) -> bool:
        """Whether some backend has `allowedNamespaces`."""
        return any(one.config.allowed_namespaces is not None for one in self._backends.values())

    def redact(self, text: str, namespace: str) -> str:
        """Return a text for a namespace without the credentials of its backends, which an OAP may repeat.

        The credentials of other backends cannot be in it. Redacting them would confirm a guessed one.
        """
        return reduce(lambda redacted, redactor: redactor(redacted), self._redactors(namespace), text)

    def redact_json_text(self, text: str, namespace: str) -> str:
        """Return JSON for a namespace without the credentials of its backends; the result is valid JSON."""
        return reduce(lambda redacted, redactor: redactor.redact_json_text(redacted), self._redactors(namespace), text)

    def _select_redactors(self, namespace: str) -> list[Redactor]:
        return [one.redactor for one in self._backends.values() if one.config.allows(namespace)]


def _select_backend(
    name: str | None,
    address: str | None,
    allowed: Mapping[str, BackendConnection],
    addresses: Mapping[str, str],
    for_namespace: str,
) -> BackendConnection:
    if not allowed:
        raise _not_found(f"no backend is configured{for_namespace}")
    if name is not None and name not in allowed:
        raise _not_found(f"backend: {name!r} is not configured{for_namespace}", did_you_mean(name, allowed, "backends"))
    if address is not None:
        owner = addresses.get(address)
        if owner is None:
            raise _not_found(
                f"address: no backend configured{for_namespace} has {address!r}",
                did_you_mean(address, addresses, "addresses"),
            )
        if name not in (None, owner):
            raise ProviderError(
                Reason.BACKEND_NOT_FOUND, f"address: {address!r} is backend {owner}, not {name}", "Remove one of them"
            )
        name = owner
    if name is not None:
        return allowed[name]
    if len(allowed) > 1:
        raise ProviderError(
            Reason.BACKEND_NOT_FOUND,
            f"backend: required, because several backends are configured{for_namespace}",
            f"Write one of {', '.join(sorted(allowed))}",
        )
    return next(iter(allowed.values()))


def _not_found(message: str, suggestion: str = "") -> ProviderError:
    return ProviderError(
        Reason.BACKEND_NOT_FOUND,
        message,
        f"{suggestion} An administrator adds a backend, an alias or an allowed namespace to the configuration".strip(),
    )


@asynccontextmanager
async def open_backends(
    configs: Mapping[str, BackendConfig],
    now: Callable[[], datetime],
    new_client: Callable[[str, BackendConfig], OapClient] = OapClient,
    observer: Observer = UNOBSERVED,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[BackendRegistry]:
    """Hold the connections of all backends while the context is open; they are opened by the first requests.

    Args:
        configs: Configurations by name.
        now: Local clock, aware.
        new_client: Builds the HTTP client of a backend.
        observer: Receives the requests and their outcomes.
        monotonic: Clock of caches, timeouts and circuit breakers.
    """
    async with AsyncExitStack() as stack:
        backends: dict[str, BackendConnection] = {}
        addresses: dict[str, str] = {}
        comparisons = ComparisonBudget(monotonic)
        for name, config in configs.items():
            client = await stack.enter_async_context(new_client(name, config))
            backends[name] = BackendConnection(name, config, client, observer, now, monotonic, comparisons)
            stack.push_async_callback(backends[name].close)
            addresses |= dict.fromkeys((config.url, *config.aliases), name)
        yield BackendRegistry(backends, addresses)
