"""A backend as one namespace uses it: its reads are requests of that namespace."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap.api.batching import BatchResult
from skywalking_provider.oap.api.inventory import (
    InventoryInstance,
    InventoryService,
    endpoints_request,
    instances_request,
    parse_instances,
    parse_names,
)
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.response_data import response_size
from skywalking_provider.oap.connection import BackendConnection

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backend:
    """One OAP for one namespace. Only `BackendRegistry.select` makes it, so that its holder is allowed to read.

    Attributes:
        connection: Connection to the OAP. Clock, features and inventory are the same for all namespaces.
        namespace: Tenant of the requests in the fair queue.
    """

    connection: BackendConnection
    namespace: str

    def read(self, request: GraphqlRequest, deadline: Deadline) -> Awaitable[dict[str, Any]]:
        """Return the `data` of one response. The errors are those of `BackendConnection.read`, as for all methods."""
        return self.connection.read(request, deadline, self.namespace)

    def series(
        self, series_requests: Sequence[SeriesRequest], window: Window, deadline: Deadline, *, mqe: bool
    ) -> Awaitable[BatchResult]:
        """Return all these series of a window, read with as few requests as the OAP accepts."""
        return self.connection.batch_reader.read(
            series_requests, window, lambda request: self.read(request, deadline), mqe=mqe
        )

    def series_with_instances(
        self,
        series_requests: Sequence[SeriesRequest],
        instances_of: Mapping[str, InventoryService],
        list_characters: int,
        window: Window,
        deadline: Deadline,
        *,
        mqe: bool,
    ) -> Awaitable[BatchResult | None]:
        """Return these series and lists of instances from one request. See `BatchReader.read_with_instances`."""
        return self.connection.batch_reader.read_with_instances(
            series_requests,
            instances_of,
            list_characters,
            window,
            lambda request: self.read(request, deadline),
            mqe=mqe,
        )

    async def instances(
        self, service: InventoryService, window: Window, deadline: Deadline
    ) -> tuple[InventoryInstance, ...]:
        """Return the instances of a service that existed in a window."""
        data = await self.read(instances_request(service, window), deadline)
        return await self.process(response_size(data), parse_instances, data)

    async def endpoints(self, service: InventoryService, keyword: str, deadline: Deadline) -> tuple[str, ...]:
        """Return the endpoints of a service whose names contain a keyword, a hundred at most."""
        data = await self.read(endpoints_request(service, keyword), deadline)
        return await self.process(response_size(data), parse_names, data, "endpoints")

    def process(self, size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Return the result of a function of responses. A large one is processed in the worker thread.

        Args:
            size: Number of characters of the responses.
            function: The function; it must not use objects that the event loop changes meanwhile.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
        """
        return self.connection.worker.run(size, function, *args, **kwargs)
