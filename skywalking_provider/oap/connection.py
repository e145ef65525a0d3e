"""Connection to one OAP: its request pipeline and its cached clock, features and inventory, for all namespaces."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline
from skywalking_provider.oap.api.alarms import ALARM_FIELDS_REQUEST, AlarmFeatures, parse_reports_recovery
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
    MetricInventory,
    MetricType,
    ServiceInventory,
    parse_layers,
    parse_metrics,
    parse_services,
    services_request,
)
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.response_data import response_size
from skywalking_provider.oap.api.server_time import ServerClock, fetch_server_clock
from skywalking_provider.oap.observer import Observer, Source
from skywalking_provider.oap.traffic.cached_reader import CachedReader
from skywalking_provider.oap.traffic.concurrency import ConcurrencyLimiter
from skywalking_provider.oap.traffic.instance_lists import InstanceLists
from skywalking_provider.oap.traffic.optional_pause import OptionalPause
from skywalking_provider.oap.traffic.pipeline import RequestPipeline
from skywalking_provider.oap.traffic.response_cache import IMMUTABLE_TTL_SECONDS, is_immutable
from skywalking_provider.oap.traffic.shared_request import SharedRequest
from skywalking_provider.oap.traffic.single_flight import RefreshingValue
from skywalking_provider.oap.transport.client import OapClient
from skywalking_provider.support.suggester import ComparisonBudget, Suggester

T = TypeVar("T")

_FEATURES_TTL_SECONDS: Final = 600.0  # an OAP is rarely upgraded; until then a wrong guess is an error of the query
_NAMES_TTL_SECONDS: Final = 60.0
_REFRESH_AFTER_MISS_SECONDS: Final = 5.0


class BackendConnection:
    """One OAP.

    Args:
        name: Name of the backend as configured.
        config: Its configuration.
        client: Its HTTP client.
        observer: Receives the requests and their outcomes.
        now: Local clock, aware.
        monotonic: Clock of caches, timeouts and the circuit breaker.
        comparisons: Budget of comparisons between names, shared by all backends; by default one of its own.

    Attributes:
        suggest: Returns a hint for a name that the OAP does not have.
        instance_lists: Last lists of instances.
        records_pause: Pause of the reads of traces and logs.
    """

    def __init__(
        self,
        name: str,
        config: BackendConfig,
        client: OapClient,
        observer: Observer,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        comparisons: ComparisonBudget | None = None,
    ) -> None:
        self.name = name
        self.suggest = Suggester(comparisons or ComparisonBudget(monotonic), monotonic)
        self.config = config
        self.worker = client.worker
        self.redactor = client.credentials.redactor
        self.credentials_version = client.credentials.version
        self.batch_reader = BatchReader(config.max_answer_bytes)
        self.instance_lists = InstanceLists()
        self.records_pause = OptionalPause(monotonic)
        self._observer = observer
        self._now = now
        self._pipeline = RequestPipeline(name, config, client, observer, now, monotonic)
        self._reader = CachedReader(
            name, self._pipeline.execute, self._pipeline.limiter, self._cache_ttl, observer, monotonic
        )
        clock_ttl = config.clock_ttl.total_seconds()
        self._time = RefreshingValue(f"the clock of backend {name}", self._fetch_time, clock_ttl, monotonic)
        self._features = RefreshingValue(
            f"the schema of backend {name}", self._fetch_features, _FEATURES_TTL_SECONDS, monotonic
        )
        self._alarm_features = RefreshingValue(
            f"the alarms' schema of backend {name}", self._fetch_alarm_features, _FEATURES_TTL_SECONDS, monotonic
        )
        self._services = RefreshingValue(
            f"the services of backend {name}", self._fetch_services, _NAMES_TTL_SECONDS, monotonic
        )
        self._metrics = RefreshingValue(
            f"the metrics of backend {name}", self._fetch_metrics, _NAMES_TTL_SECONDS, monotonic
        )

    def read(self, request: GraphqlRequest, deadline: Deadline, namespace: str) -> Awaitable[dict[str, Any]]:
        """Return the `data` of one response. The errors are those of `CachedReader.read`, as for all methods below."""
        return self._reader.read(request, deadline, namespace, self.credentials_version())

    def count_cache_hit(self) -> None:
        """Report a measurement that needed no request because its verdict was cached."""
        self._observer.request_avoided(self.name, Source.CACHE)

    async def time(self, deadline: Deadline) -> ServerClock:
        """Return the OAP's clock and zone."""
        return await self._time.get(deadline)

    async def features(self, deadline: Deadline) -> ServerFeatures:
        """Return the OAP's features. An OAP that forbids introspection is assumed to have all of them."""
        return await self._features.get(deadline)

    async def alarm_features(self, deadline: Deadline) -> AlarmFeatures:
        """Return what the OAP supports for alarms. One that forbids introspection is assumed to report no recovery."""
        return await self._alarm_features.get(deadline)

    @property
    def known_features(self) -> ServerFeatures | None:
        """The OAP's features if they were fetched before."""
        return self._features.peek

    async def services(self, deadline: Deadline, *, fresh: bool = False) -> ServiceInventory:
        """Return all services; `fresh` after one was not found that may be new."""
        return await self._services.get(deadline, newer_than=_REFRESH_AFTER_MISS_SECONDS if fresh else None)

    async def metrics(self, deadline: Deadline) -> Mapping[str, str]:
        """Return the names of all metrics, each with its catalog, such as SERVICE_INSTANCE."""
        return (await self._metrics.get(deadline)).catalogs

    async def metric_types(self, deadline: Deadline) -> Mapping[str, MetricType]:
        """Return the types of the metrics. One of an unknown type is missing."""
        return (await self._metrics.get(deadline)).types

    @property
    def known_services(self) -> ServiceInventory:
        """The services if they were fetched before, however old; else none."""
        return self._services.peek or ServiceInventory()

    @property
    def known_metrics(self) -> Mapping[str, str]:
        """The metrics with their catalogs if they were fetched before, however old; else empty."""
        return self._metrics.peek.catalogs if self._metrics.peek else {}

    @property
    def known_metric_types(self) -> Mapping[str, MetricType]:
        """The types of the metrics if they were fetched before, however old; else empty."""
        return self._metrics.peek.types if self._metrics.peek else {}

    @property
    def limiter(self) -> ConcurrencyLimiter:
        """The concurrency limiter, for tests."""
        return self._pipeline.limiter

    async def close(self) -> None:
        """Cancel the requests in flight."""
        await self._reader.close()
        for value in (self._time, self._features, self._alarm_features, self._services, self._metrics):
            await value.close()
        await self._pipeline.close()

    async def _fetch_time(self, shared_request: SharedRequest) -> ServerClock:
        time = await fetch_server_clock(
            partial(self._pipeline.execute, shared_request=shared_request), self._now, self.config.timezone
        )
        self._observer.clock_skew(self.name, time.offset.total_seconds())
        return time

    async def _fetch_features(self, shared_request: SharedRequest) -> ServerFeatures:
        try:
            return await self._parse(parse_features, await self._pipeline.execute(FEATURES_REQUEST, shared_request))
        except ProviderError as error:
            if error.reason is not Reason.QUERY_INVALID:
                raise
            return ALL_FEATURES  # cached, so that not every measurement repeats a request that is rejected

    async def _fetch_alarm_features(self, shared_request: SharedRequest) -> AlarmFeatures:
        selects_rules = (await self.features(shared_request.deadline)).supports_alarm_query
        try:
            data = await self._pipeline.execute(ALARM_FIELDS_REQUEST, shared_request)
            return AlarmFeatures(selects_rules, await self._parse(parse_reports_recovery, data))
        except ProviderError as error:
            if error.reason is not Reason.QUERY_INVALID:
                raise
            return AlarmFeatures(selects_rules)

    async def _fetch_services(self, shared_request: SharedRequest) -> ServiceInventory:
        if (await self.features(shared_request.deadline)).supports_mqe:
            request = ALL_SERVICES_REQUEST
        else:
            data = await self._pipeline.execute(LAYERS_REQUEST, shared_request)
            layers = await self._parse(parse_layers, data)
            if not layers:
                return ServiceInventory()
            request = services_request(layers)
        return await self._parse(parse_services, await self._pipeline.execute(request, shared_request))

    async def _fetch_metrics(self, shared_request: SharedRequest) -> MetricInventory:
        return await self._parse(parse_metrics, await self._pipeline.execute(METRICS_REQUEST, shared_request))

    def _parse(self, parser: Callable[[Mapping[str, Any]], T], data: dict[str, Any]) -> Awaitable[T]:
        return self.worker.run(response_size(data), parser, data)

    def _cache_ttl(self, request: GraphqlRequest) -> float:
        """Return the TTL in seconds of the response to a request that is sent now."""
        seconds = self.config.cache.response_ttl.total_seconds()
        time = self._time.peek
        oap_now = time.to_server(self._now()) if time else None
        return (
            IMMUTABLE_TTL_SECONDS if seconds and is_immutable(request.window, self.config.settle, oap_now) else seconds
        )
