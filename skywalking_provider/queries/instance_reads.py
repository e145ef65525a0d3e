"""Reads of instances: their series and the list that selects them, in one request.

The list of a service's instances decides which series are read, and it seldom differs from the last one. So the series
of the instances that the last list selects are read together with the list of now. If that list selects other series,
they are read, too. The result depends on the list of now alone: another replica, which does not have the last list,
returns the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from skywalking_provider.errors import BackendUnavailableError, ProviderError
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.batching import BatchResult, count_points
from skywalking_provider.oap.api.inventory import (
    INSTANCES_ALIAS,
    InventoryInstance,
    InventoryService,
    parse_instances,
)
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.oap.traffic.instance_lists import MAX_LIST_CHARACTERS, InstanceList
from skywalking_provider.oap.traffic.response_cache import MAX_RESPONSE_CHARACTERS
from skywalking_provider.queries.days import split_into_days
from skywalking_provider.queries.entities import ListInstances
from skywalking_provider.queries.instance_selection import drop_unread_attributes

T = TypeVar("T")

_POINT_CHARACTERS: Final = 40  # of a bucket with its id and value in a response
_ITEM_CHARACTERS: Final = 28  # of an instance or an attribute in a response, beside its texts


@dataclass(frozen=True, slots=True)
class SeriesPlan(Generic[T]):
    """Series to read.

    Attributes:
        selection: Entities and metrics of the series.
        requests: The series; may be empty.
    """

    selection: T
    requests: list[SeriesRequest]


@dataclass(frozen=True, slots=True)
class DayRead:
    """Responses to the series of a plan in one day of a window.

    Attributes:
        window: The part of the window.
        batch: The responses.
    """

    window: Window
    batch: BatchResult


PlanSeries = Callable[[ListInstances], Awaitable[SeriesPlan[T]]]
"""Plans the series of a block from lists of instances. The same lists result in the same plan."""


async def read_planned_series(
    plan_series: PlanSeries[T],
    backend: Backend,
    window: Window,
    deadline: Deadline,
    *,
    mqe: bool,
    with_lists: bool = True,
) -> tuple[T, BatchResult]:
    """Return the selection of a block and the responses of its series.

    Args:
        plan_series: Plans the series.
        backend: Backend of the block.
        window: Window of the series and of the lists.
        deadline: Deadline of the requests.
        mqe: Whether the OAP supports expressions.
        with_lists: Whether lists may be read together with series. Without it, lists and series have requests of
            their own, and the last lists are neither used nor replaced.

    Raises:
        BackendUnavailableError: The backend did not respond.
        ProviderError: That of `plan_series`, or of a request.
    """
    lists = _Lists(backend, window, deadline, mqe=mqe, with_series=with_lists)
    batch: BatchResult | None = None
    assumed = await _assume(plan_series, lists) if with_lists else None
    if assumed is not None and assumed.requests:
        batch = await lists.read_with_series(assumed.requests)
        with_lists = batch is not None
    plan = await plan_series(lists.list_now) if assumed is None or lists.needed else assumed
    if assumed is None or assumed.requests != plan.requests:
        batch = await lists.read_with_series(plan.requests) if with_lists else None
    if batch is None:
        batch = await backend.series(plan.requests, window, deadline, mqe=mqe) if plan.requests else BatchResult({}, ())
    return plan.selection, batch


async def read_planned_days(
    plan_series: PlanSeries[T], backend: Backend, window: Window, deadline: Deadline, *, mqe: bool
) -> tuple[T, tuple[DayRead, ...]]:
    """Do the same as `read_planned_series`, with a response for each day of the window.

    Lists are those of the whole window, so that both days have the same series.
    """
    days = split_into_days(window, single_buckets=mqe)
    if len(days) == 1:
        selection, batch = await read_planned_series(plan_series, backend, window, deadline, mqe=mqe)
        return selection, (DayRead(window, batch),)
    lists = _Lists(backend, window, deadline, mqe=mqe, with_series=False)
    plan = await plan_series(lists.list_now)
    if not plan.requests:
        return plan.selection, (DayRead(window, BatchResult({}, ())),)
    batches = await asyncio.gather(*(backend.series(plan.requests, day, deadline, mqe=mqe) for day in days))
    return plan.selection, tuple(DayRead(day, batch) for day, batch in zip(days, batches, strict=True))


def prevents_caching(points: int, list_characters: int) -> bool:
    """Return whether lists make a response too large for the response cache, so that other runs could not use it.

    Args:
        points: Number of buckets of all series.
        list_characters: Size of the lists.
    """
    series_characters = points * _POINT_CHARACTERS
    return series_characters <= MAX_RESPONSE_CHARACTERS < series_characters + list_characters


class _UnknownListError(Exception):
    """No last list of a service."""


class _Lists:
    """Lists of instances for one read: the last ones, then those of now.

    Args:
        backend: Backend of the services.
        window: Window of the lists and series.
        deadline: Deadline of the requests.
        mqe: Whether the OAP supports expressions.
        with_series: Whether lists may be read together with series; if not, they do not replace the last ones.
    """

    def __init__(self, backend: Backend, window: Window, deadline: Deadline, *, mqe: bool, with_series: bool) -> None:
        self._backend = backend
        self._window = window
        self._deadline = deadline
        self._mqe = mqe
        self._with_series = with_series
        self._last = backend.connection.instance_lists
        # State: the services of the plan by id, and the lists of now that were read.
        self._services: dict[str, InventoryService] = {}
        self._now: dict[str, tuple[InventoryInstance, ...]] = {}

    @property
    def needed(self) -> bool:
        """Whether the plan needs the list of any service."""
        return bool(self._services)

    async def list_last(self, service: InventoryService) -> tuple[InventoryInstance, ...]:
        """Return the last list of a service, without a request."""
        self._services[service.id] = service
        if (last := self._last.get(service.id)) is None:
            raise _UnknownListError
        return last.instances

    async def list_now(self, service: InventoryService) -> tuple[InventoryInstance, ...]:
        """Return the list of a service in the window, by a request unless it was read with series."""
        self._services[service.id] = service
        if service.id not in self._now:
            self._keep(service, await self._backend.instances(service, self._window, self._deadline))
        return self._now[service.id]

    async def read_with_series(self, requests: Sequence[SeriesRequest]) -> BatchResult | None:
        """Read series and the lists of now; return the responses of the series.

        Return None if the plan needs no lists, one request cannot have both, or OAP rejects it.
        """
        services = {f"{INSTANCES_ALIAS}{at}": one for at, one in enumerate(self._services.values())}
        last = [self._last.get(one.id) for one in services.values()]
        characters = sum(one.characters for one in last if one)
        if not (requests and services and all(last)):
            return None
        if prevents_caching(count_points(requests, self._window), characters):
            return None
        try:
            batch = await self._backend.series_with_instances(
                requests, services, characters, self._window, self._deadline, mqe=self._mqe
            )
            if batch is None:
                return None
            lists = await self._backend.process(batch.size, _parse_lists, batch.data, tuple(services))
        except BackendUnavailableError:
            raise
        except ProviderError:  # caused by a list or a series: their own requests have the errors
            return None
        for service, instances in zip(services.values(), lists, strict=True):
            self._keep(service, instances)
        return batch

    def _keep(self, service: InventoryService, instances: tuple[InventoryInstance, ...]) -> None:
        self._now[service.id] = instances
        if self._with_series:
            characters = count_characters(instances)
            kept = drop_unread_attributes(instances) if characters <= MAX_LIST_CHARACTERS else ()
            self._last.put(service.id, InstanceList(kept, characters))


def count_characters(instances: Iterable[InventoryInstance]) -> int:
    """Return the approximate size of a list in a response. The count ends beyond MAX_LIST_CHARACTERS."""
    characters = 0
    for size in _item_sizes(instances):
        characters += size
        if characters > MAX_LIST_CHARACTERS:
            break
    return characters


async def _assume(plan_series: PlanSeries[T], lists: _Lists) -> SeriesPlan[T] | None:
    """Plan the series from the last lists; None if one is missing, or has no instances that the block selects."""
    try:
        return await plan_series(lists.list_last)
    except BackendUnavailableError:
        raise
    except (ProviderError, _UnknownListError):
        return None


def _item_sizes(instances: Iterable[InventoryInstance]) -> Iterator[int]:
    for one in instances:
        yield len(one.name) + _ITEM_CHARACTERS
        for key, value in one.attributes.items():
            yield len(key) + len(value) + _ITEM_CHARACTERS


def _parse_lists(data: Mapping[str, Any], aliases: Sequence[str]) -> list[tuple[InventoryInstance, ...]]:
    return [parse_instances(data, alias) for alias in aliases]
