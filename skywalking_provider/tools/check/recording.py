"""Backends that keep every request with its answer, so that a measurement can be shown after it was made."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from skywalking_provider.config import BackendConfig, CacheConfig, CircuitConfig
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Backend, BackendRegistry, open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.transport.client import OapClient


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it.

    Attributes:
        request: The request.
        seconds: Until it was answered.
        data: The `data` of the answer; None where there is none.
        error: Why not.
    """

    request: GraphqlRequest
    seconds: float
    data: dict[str, Any] | None = None
    error: ProviderError | None = None


@dataclass(slots=True)
class Recorder:
    """What was asked since `begin`, and whether the same is to be told again instead of asked."""

    exchanges: list[Exchange] = field(default_factory=list)
    replaying: bool = False

    def reset(self) -> None:
        """Forget all, and ask from now on."""
        self.exchanges = []
        self.replaying = False

    def again(self, read: GraphqlRequest) -> dict[str, Any]:
        """What was answered to a request.

        Raises:
            ProviderError: As then; PROVIDER_INTERNAL where it was never asked.
        """
        for exchange in reversed(self.exchanges):
            if exchange.request == read:
                if exchange.error is not None:
                    raise exchange.error
                return exchange.data or {}
        raise ProviderError(Reason.PROVIDER_INTERNAL, "this was not asked")


class RecordingClient(OapClient):
    """An `OapClient` that keeps what goes through it."""

    def __init__(self, name: str, config: BackendConfig, recorder: Recorder) -> None:
        super().__init__(name, config)
        self._recorder = recorder

    async def read(self, request: GraphqlRequest, deadline: Deadline) -> dict[str, Any]:
        """As `OapClient.read`."""
        if self._recorder.replaying:
            return self._recorder.again(request)
        began = time.perf_counter()
        try:
            data = await super().read(request, deadline)
        except ProviderError as error:
            self._recorder.exchanges.append(Exchange(request, time.perf_counter() - began, error=error))
            raise
        self._recorder.exchanges.append(Exchange(request, time.perf_counter() - began, data))
        return data


class SingleBackendRegistry(BackendRegistry):
    """One backend that is meant whatever a block names."""

    def __init__(self, backends: BackendRegistry) -> None:
        super().__init__({}, {})
        self._registry = backends

    def select(self, name: str | None, address: str | None, namespace: str | None) -> Backend:  # noqa: ARG002
        """The one."""
        return self._registry.select(None, None, namespace)


@dataclass(frozen=True, slots=True)
class RecordingBackends:
    """The backends, what they record, and where they are."""

    backends: BackendRegistry
    recorder: Recorder
    urls: Mapping[str, str]


@asynccontextmanager
async def open_recording_backends(
    configs: Mapping[str, BackendConfig], now: Callable[[], datetime] = lambda: datetime.now(UTC), *, any_name: bool
) -> AsyncIterator[RecordingBackends]:
    """As `open_backends`, recording.

    Args:
        configs: By name.
        now: Our clock.
        any_name: Whether the only backend answers for every name and address.
    """
    recorder = Recorder()

    def new_client(name: str, config: BackendConfig) -> OapClient:
        return RecordingClient(name, config, recorder)

    # Every metric is to show its own requests: no answer of another's is used, none is repeated or held back.
    plain = {
        "cache": CacheConfig.model_validate({"responseTtl": "0s", "verdictTtl": "0s"}),
        "retries": 0,
        "circuit": CircuitConfig(failures=1000),
    }
    alone = {name: config.model_copy(update=plain) for name, config in configs.items()}
    async with open_backends(alone, now, new_client) as backends:
        chosen = SingleBackendRegistry(backends) if any_name else backends
        yield RecordingBackends(chosen, recorder, {name: config.url for name, config in configs.items()})
