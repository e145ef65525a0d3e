"""Readiness of the service, shared by gRPC health checks and /readyz."""

import asyncio
from typing import Final, Protocol

import structlog
from grpc_health.v1 import health, health_pb2

_CHECK_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class Dependency(Protocol):
    """A part of the service without which it cannot serve, such as the evaluator of conditions."""

    @property
    def healthy(self) -> bool:
        """Whether it works."""
        ...

    async def recover(self) -> None:
        """Try to make it work again."""
        ...


class Readiness:
    """Readiness state: not ready, then ready while its dependency is healthy, then not ready until the process exits.

    Args:
        names: Names of the gRPC services whose health it reports.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._serving = False
        self._healthy = True
        self.servicer = health.aio.HealthServicer()

    @property
    def ready(self) -> bool:
        """Whether new requests are accepted."""
        return self._serving and self._healthy

    async def begin(self) -> None:
        """Report SERVING."""
        self._serving = True
        await self._report()

    async def end(self) -> None:
        """Report NOT_SERVING until the process exits."""
        self._serving = False
        await self.servicer.enter_graceful_shutdown()

    async def watch(self, dependency: Dependency, interval: float = _CHECK_SECONDS) -> None:
        """Report NOT_SERVING while a dependency is not healthy, and try to recover it. Run until cancelled.

        Args:
            dependency: The dependency.
            interval: Seconds between two checks.
        """
        while True:
            await asyncio.sleep(interval)
            await self._set_healthy(dependency.healthy)
            if not dependency.healthy:
                try:
                    await dependency.recover()
                except Exception:  # noqa: BLE001 - a bug in one attempt must not end the watch
                    _log.exception("recovery failed")
                await self._set_healthy(dependency.healthy)

    async def _set_healthy(self, healthy: bool) -> None:
        if healthy != self._healthy:
            self._healthy = healthy
            _log.warning(
                "condition evaluators start again" if healthy else "not ready: condition evaluators do not start"
            )
            await self._report()

    async def _report(self) -> None:
        status = health_pb2.HealthCheckResponse
        for name in self._names:
            await self.servicer.set(name, status.SERVING if self.ready else status.NOT_SERVING)
