"""Backends in virtual time: the event loop's clock jumps to the next timer, so that hours pass in a moment."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import looptime

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline
from skywalking_provider.oap import UNOBSERVED, BackendRegistry, Observer, open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.transport.credentials import Credentials
from skywalking_provider.support.worker_thread import WorkerThread

NO_CACHE = {"responseTtl": "0s", "verdictTtl": "0s"}
NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop whose clock jumps to the next timer."""

    @functools.wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            runner.run(test(*args, **kwargs))

    return wrapped


def monotonic() -> float:
    return asyncio.get_running_loop().time()


def deadline_after(seconds: float) -> Deadline:
    return Deadline.after(seconds, monotonic)


def now() -> datetime:
    return NOON + timedelta(seconds=monotonic())


Script = Callable[[GraphqlRequest], Awaitable[dict[str, Any]]]


class ScriptedClient:
    """Replacement of `OapClient` that runs the script of a test and counts the requests."""

    credentials: Credentials

    def __init__(self, script: Script) -> None:
        self._script = script
        self.requests: list[tuple[float, GraphqlRequest]] = []
        self.in_flight = 0
        self.max_in_flight = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, request: GraphqlRequest, deadline: Deadline) -> dict[str, Any]:
        self.requests.append((monotonic(), request))
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            async with asyncio.timeout(deadline.remaining):
                return await self._script(request)
        except TimeoutError as error:
            raise timeout_error() from error
        finally:
            self.in_flight -= 1


@asynccontextmanager
async def open_scripted_backends(
    clients: dict[str, ScriptedClient], observer: Observer = UNOBSERVED, **config: Any
) -> AsyncIterator[BackendRegistry]:
    """Open backends with these clients; `config` is the configuration of each."""
    configs = {
        name: BackendConfig.model_validate({"url": f"http://{name}", "timeout": "5s"} | config) for name in clients
    }
    for name, client in clients.items():
        client.credentials = Credentials(configs[name])
        client.worker = WorkerThread(name)
    new_client: Any = lambda name, _: clients[name]  # noqa: E731
    async with open_backends(configs, now, new_client, observer, monotonic) as opened:
        yield opened


def connection_refused_error() -> BackendUnavailableError:
    return BackendUnavailableError("backend prod cannot be reached: Connection refused", kind=FailureKind.CONNECT)


def timeout_error() -> BackendUnavailableError:
    return BackendUnavailableError("backend prod did not respond within 5 s", kind=FailureKind.TIMEOUT)
