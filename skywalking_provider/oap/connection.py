"""One OAP, connected, with what is known of it: what all namespaces that may read it share."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline
from skywalking_provider.oap.api.batching import BatchReader
from skywalking_provider.oap.api.features import (
    ALL_FEATURES,
    FEATURES_REQUEST,
    ServerFeatures,
    parse_features,
)
from skywalking_provider.oap.api.inventory import (
    ALL_SERVICES_REQUEST,
    LAYERS_REQUEST,
    METRICS_REQUEST,
    ServiceInventory,
    parse_layers,
    parse_metrics,
    parse_services,
    services_request,
)
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.server_time import ServerClock, fetch_server_clock
from skywalking_provider.oap.observer import Observer, Source
from skywalking_provider.oap.traffic.cached import RefreshingValue
from skywalking_provider.oap.traffic.concurrency import ConcurrencyLimiter
from skywalking_provider.oap.traffic.pipeline import RequestPipeline
from skywalking_provider.oap.traffic.response_cache import IMMUTABLE_TTL_SECONDS, is_immutable
from skywalking_provider.oap.traffic.shared_request import SharedRequest
from skywalking_provider.oap.traffic.single_flight import SingleFlight
from skywalking_provider.oap.transport.client import OapClient

_FEATURES_TTL_SECONDS = 600.0  # an OAP is upgraded seldom, and a wrong dialect is an Error in its own words until then
_NAMES_TTL_SECONDS = 60.0
_REFRESH_AFTER_MISS_SECONDS = 5.0


class BackendConnection:
    """One OAP, connected.

    Args:
        name: As configured.
        config: Its configuration.
        client: How to ask it.
        now: Our own clock.
        observer: Is told what happens.
    """

    def __init__(
        self, name: str, config: BackendConfig, client: OapClient, now: Callable[[], datetime], observer: Observer
    ) -> None:
        self.name = name
        self.config = config
        self.redactor = client.credentials.redactor
        self.credentials_version = client.credentials.version
        self._now = now
        self._observer = observer
        self._pipeline = RequestPipeline(name, config, client, now, observer)
        self._single_flight = SingleFlight(
            name, self._pipeline.execute, self._pipeline.limiter, self._cache_ttl, observer
        )
        self.batch_reader = BatchReader(config.max_answer_bytes)
        self._time = RefreshingValue(f"the clock of backend {name}", self._fetch_time, config.clock_ttl.total_seconds())
        self._features = RefreshingValue(f"the schema of backend {name}", self._fetch_features, _FEATURES_TTL_SECONDS)
        self._services = RefreshingValue(f"the services of backend {name}", self._fetch_services, _NAMES_TTL_SECONDS)
        self._metrics = RefreshingValue(f"the metrics of backend {name}", self._fetch_metrics, _NAMES_TTL_SECONDS)

    def read(self, request: GraphqlRequest, deadline: Deadline, namespace: str) -> Awaitable[dict[str, Any]]:
        """The `data` of one request. Raises as `OapClient.read`, as all below."""
        return self._single_flight.read(request, deadline, namespace, self.credentials_version())

    def count_cache_hit(self) -> None:
        """Somebody's question was answered without asking."""
        self._observer.request_avoided(self.name, Source.CACHE)

    async def time(self, deadline: Deadline) -> ServerClock:
        """The OAP's clock and zone."""
        return await self._time.get(deadline)

    async def features(self, deadline: Deadline) -> ServerFeatures:
        """What the OAP understands; one that forbids introspection is taken for a new one."""
        return await self._features.get(deadline)

    @property
    def known_features(self) -> ServerFeatures | None:
        """What the OAP understands, if it was asked already."""
        return self._features.peek

    async def services(self, deadline: Deadline, *, fresh: bool = False) -> ServiceInventory:
        """All services; `fresh` where one was missed that may be new."""
        return await self._services.get(deadline, newer_than=_REFRESH_AFTER_MISS_SECONDS if fresh else None)

    async def metrics(self, deadline: Deadline) -> Mapping[str, str]:
        """The names of all metrics, each with the catalog that it is in, such as SERVICE_INSTANCE."""
        return await self._metrics.get(deadline)

    @property
    def limiter(self) -> ConcurrencyLimiter:
        """Who asks it and who waits, to look at."""
        return self._pipeline.limiter

    async def close(self) -> None:
        """End what is asked for in the background."""
        await self._single_flight.close()
        for cached in (self._time, self._features, self._services, self._metrics):
            await cached.close()

    async def _fetch_time(self, shared_request: SharedRequest) -> ServerClock:
        time = await fetch_server_clock(
            partial(self._pipeline.execute, shared_request=shared_request), self._now, self.config.timezone
        )
        self._observer.clock_skew(self.name, time.offset.total_seconds())
        return time

    async def _fetch_features(self, shared_request: SharedRequest) -> ServerFeatures:
        try:
            return parse_features(await self._pipeline.execute(FEATURES_REQUEST, shared_request))
        except ProviderError as error:
            if error.reason is not Reason.QUERY_INVALID:
                raise
            return ALL_FEATURES  # kept like an answer, or every measurement would ask in vain

    async def _fetch_services(self, shared_request: SharedRequest) -> ServiceInventory:
        if (await self.features(shared_request.deadline)).supports_mqe:
            return parse_services(await self._pipeline.execute(ALL_SERVICES_REQUEST, shared_request))
        layers = parse_layers(await self._pipeline.execute(LAYERS_REQUEST, shared_request))
        return (
            parse_services(await self._pipeline.execute(services_request(layers), shared_request))
            if layers
            else ServiceInventory()
        )

    async def _fetch_metrics(self, shared_request: SharedRequest) -> Mapping[str, str]:
        return parse_metrics(await self._pipeline.execute(METRICS_REQUEST, shared_request))

    def _cache_ttl(self, request: GraphqlRequest) -> float:
        """How long the answer to a read serves that is asked now."""
        seconds = self.config.response_ttl_seconds
        time = self._time.peek
        oap_now = time.to_server(self._now()) if time else None
        return (
            IMMUTABLE_TTL_SECONDS if seconds and is_immutable(request.window, self.config.settle, oap_now) else seconds
        )
