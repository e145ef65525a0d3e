"""Backends in virtual time: hours pass in a moment, and nothing sleeps for real."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import looptime
import pytest

from skywalking_provider import model
from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import Away, BackendAway
from skywalking_provider.model import Deadline
from skywalking_provider.oap import UNOBSERVED, Backends, Observer, answers, cached, open_backends, requests
from skywalking_provider.oap import flights as flights_module
from skywalking_provider.oap.credentials import Credentials
from skywalking_provider.plan import Read

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
_MODULES: tuple[ModuleType, ...] = (model, answers, cached, flights_module, requests)


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a loop whose clock jumps to whatever is waited for."""

    @functools.wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner, pytest.MonkeyPatch.context() as patched:
            for module in _MODULES:
                patched.setattr(module, "time", SimpleNamespace(monotonic=runner.get_loop().time))
            runner.run(test(*args, **kwargs))

    return wrapped


def monotonic() -> float:
    return asyncio.get_running_loop().time()


def now() -> datetime:
    return NOON + timedelta(seconds=monotonic())


Script = Callable[[Read], Awaitable[dict[str, Any]]]


class Scripted:
    """In the place of `OapClient`: answers as the test says, and keeps count."""

    credentials: Credentials

    def __init__(self, script: Script) -> None:
        self._script = script
        self.asked: list[tuple[float, Read]] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, read: Read, deadline: Deadline) -> dict[str, Any]:
        self.asked.append((monotonic(), read))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            async with asyncio.timeout(deadline.remaining):
                return await self._script(read)
        except TimeoutError as error:
            raise late() from error
        finally:
            self.in_flight -= 1


@asynccontextmanager
async def backends_of(
    clients: dict[str, Scripted], observer: Observer = UNOBSERVED, **config: Any
) -> AsyncIterator[Backends]:
    """Backends with these clients; `config` is that of all."""
    configs = {
        name: BackendConfig.model_validate({"url": f"http://{name}", "timeout": "5s"} | config) for name in clients
    }
    for name, client in clients.items():
        client.credentials = Credentials(configs[name])
    async with open_backends(configs, now, lambda name, _: clients[name], observer) as opened:  # type: ignore[arg-type,return-value]
        yield opened


def refused() -> BackendAway:
    return BackendAway("backend prod cannot be reached: Connection refused", how=Away.UNREACHABLE)


def late() -> BackendAway:
    return BackendAway("backend prod did not answer within 5 s", how=Away.LATE)
