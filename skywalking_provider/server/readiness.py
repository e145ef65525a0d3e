"""Readiness of the service, shared by gRPC health checks and /readyz."""

from grpc_health.v1 import health, health_pb2


class Readiness:
    """Readiness state: not ready, then ready, then not ready until the process exits.

    Args:
        names: Names of the gRPC services whose health it reports.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._ready = False
        self.servicer = health.aio.HealthServicer()

    @property
    def ready(self) -> bool:
        """Whether new requests are accepted."""
        return self._ready

    async def begin(self) -> None:
        """Report SERVING."""
        for name in self._names:
            await self.servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._ready = True

    async def end(self) -> None:
        """Report NOT_SERVING until the process exits."""
        self._ready = False
        await self.servicer.enter_graceful_shutdown()
