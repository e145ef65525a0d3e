"""Backends that record each request with its response, so that `check` can print them."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from skywalking_provider.config import BackendConfig, CacheConfig, CircuitConfig
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Backend, BackendRegistry, open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.transport.client import OapClient


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response.

    Attributes:
        request: Request that was sent.
        seconds: Duration until the response.
        data: `data` of the response; None if the request failed.
        error: Error of a failed request.
    """

    request: GraphqlRequest
    seconds: float
    data: dict[str, Any] | None = None
    error: ProviderError | None = None


@dataclass(slots=True)
class Recorder:
    """Requests since the last `reset`."""

    exchanges: list[Exchange] = field(default_factory=list)

    def reset(self) -> None:
        """Drop the recorded requests."""
        self.exchanges = []


class RecordingClient(OapClient):
    """An `OapClient` that records its requests."""

    def __init__(self, name: str, config: BackendConfig, recorder: Recorder) -> None:
        super().__init__(name, config)
        self._recorder = recorder

    async def read(self, request: GraphqlRequest, deadline: Deadline) -> dict[str, Any]:
        """Send a request as `OapClient.read` does, and record it."""
        started_at = time.perf_counter()
        try:
            data = await super().read(request, deadline)
        except ProviderError as error:
            self._recorder.exchanges.append(Exchange(request, time.perf_counter() - started_at, error=error))
            raise
        self._recorder.exchanges.append(Exchange(request, time.perf_counter() - started_at, data))
        return data


class SingleBackendRegistry(BackendRegistry):
    """A registry that selects its only backend for every name and address."""

    def __init__(self, backends: BackendRegistry) -> None:
        super().__init__({}, {})
        self._registry = backends

    def select(self, name: str | None, address: str | None, namespace: str | None) -> Backend:  # noqa: ARG002
        """Return the only backend."""
        return self._registry.select(None, None, namespace)


@dataclass(frozen=True, slots=True)
class RecordingBackends:
    """Backends with their recorder.

    Attributes:
        backends: Registry of the backends.
        recorder: Recorder of all of them.
        urls: Address of each backend by name.
        cause_details: Whether the texts of logs may be read for a cause.
    """

    backends: BackendRegistry
    recorder: Recorder
    urls: Mapping[str, str]
    cause_details: bool = False


@asynccontextmanager
async def open_recording_backends(
    configs: Mapping[str, BackendConfig],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    *,
    any_name: bool,
    cause_details: bool = False,
) -> AsyncIterator[RecordingBackends]:
    """Open backends as `open_backends` does, with a recorder.

    Args:
        configs: Configurations by name.
        now: Clock of this process.
        any_name: Whether the only backend is selected for every name and address.
        cause_details: Whether the texts of logs may be read for a cause.
    """
    recorder = Recorder()

    def new_client(name: str, config: BackendConfig) -> OapClient:
        return RecordingClient(name, config, recorder)

    # The report of a metric shows all its requests: no response cache, no retries and no open circuit breaker.
    plain = {
        "cache": CacheConfig.model_validate({"responseTtl": "0s", "verdictTtl": "0s"}),
        "retries": 0,
        "circuit": CircuitConfig(failures=1000),
    }
    plain_configs = {name: config.model_copy(update=plain) for name, config in configs.items()}
    async with open_backends(plain_configs, now, new_client) as backends:
        registry = SingleBackendRegistry(backends) if any_name else backends
        urls = {name: config.url for name, config in configs.items()}
        yield RecordingBackends(registry, recorder, urls, cause_details)
