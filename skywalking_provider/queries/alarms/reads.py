"""Reads of an OAP's alarms, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from skywalking_provider.model import Deadline, Entity, Scope, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.alarms import (
    MAX_PAGES,
    PAGE_SIZE,
    AlarmFeatures,
    AlarmRead,
    OapAlarm,
    alarms_request,
    parse_alarms,
    plan_alarm_reads,
    read_older,
)
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.response_data import response_size
from skywalking_provider.queries.days import split_into_days


@dataclass(frozen=True, slots=True)
class AlarmPages:
    """Alarms that were read.

    Attributes:
        alarms: The alarms of all pages.
        complete: Whether there are no further ones.
        requests: Requests that were sent.
    """

    alarms: tuple[OapAlarm, ...]
    complete: bool
    requests: tuple[GraphqlRequest, ...]


async def read_alarms(
    scopes: Sequence[Scope],
    rules: Sequence[str],
    entities: Sequence[Entity],
    features: AlarmFeatures,
    backend: Backend,
    window: Window,
    deadline: Deadline,
) -> AlarmPages:
    """Read the alarms that began in a window, MAX_PAGES pages of each day at most.

    Args:
        scopes: Scopes of the alarms.
        rules: Rules of the alarms; empty for all. Only an OAP that selects rules uses them.
        entities: Entities of the alarms; empty if they are not known one by one.
        features: Features of the OAP.
        backend: Backend to read from.
        window: Minutes in which the alarms began.
        deadline: Deadline of the requests.

    Raises:
        BackendUnavailableError: The backend did not respond.
        ProviderError: The OAP rejects the request, or its response is not valid.
    """
    reads = plan_alarm_reads(features, scopes, rules)
    days = [
        await _read_day(reads, entities, features, backend, day, deadline)
        for day in split_into_days(window, single_buckets=True)
    ]
    return AlarmPages(
        tuple(alarm for day in days for alarm in day.alarms),
        all(day.complete for day in days),
        tuple(request for day in days for request in day.requests),
    )


async def _read_day(
    reads: Sequence[AlarmRead],
    entities: Sequence[Entity],
    features: AlarmFeatures,
    backend: Backend,
    window: Window,
    deadline: Deadline,
) -> AlarmPages:
    alarms, requests = list[OapAlarm](), list[GraphqlRequest]()
    stuck = False
    for _ in range(MAX_PAGES):
        request = alarms_request(reads, window, entities, features)
        data = await backend.read(request, deadline)
        pages = await backend.process(response_size(data), parse_alarms, data, reads)
        requests.append(request)
        alarms += (alarm for one in pages for alarm in one)
        full = [(read, one) for read, one in zip(reads, pages, strict=True) if len(one) >= PAGE_SIZE]
        older = [read_older(read, one, window) for read, one in full]
        reads = tuple(one for one in older if one is not None)
        stuck = stuck or len(reads) < len(full)
        if not reads:
            break
    return AlarmPages(tuple(alarms), not (reads or stuck), tuple(requests))
