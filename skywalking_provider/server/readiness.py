"""Whether new questions are welcome: one truth for gRPC health checks and for /readyz."""

from grpc_health.v1 import health, health_pb2


class Readiness:
    """Not ready, then ready, then never again.

    Args:
        names: The gRPC services that it speaks for.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._ready = False
        self.servicer = health.aio.HealthServicer()

    @property
    def ready(self) -> bool:
        """Whether new questions are answered."""
        return self._ready

    async def begin(self) -> None:
        """Say SERVING."""
        for name in self._names:
            await self.servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._ready = True

    async def end(self) -> None:
        """Say NOT_SERVING for good."""
        self._ready = False
        await self.servicer.enter_graceful_shutdown()
