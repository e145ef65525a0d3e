"""Reads of a cause: one request chooses endpoints, another one reads their minutes, traces and error logs."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.endpoint_ranking import (
    MAX_RANKED,
    Order,
    parse_ranking,
    parse_trace_api,
    rankings_request,
)
from skywalking_provider.oap.api.features import ServerFeatures
from skywalking_provider.oap.api.metric_values import build_request
from skywalking_provider.oap.api.records import (
    RecordScope,
    TraceApi,
    TraceChoice,
    parse_logs,
    parse_traces,
    record_fields,
)
from skywalking_provider.oap.api.request import duration_variable
from skywalking_provider.oap.api.response_data import response_size
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoint_groups import build_groups, decode_groups, select_metrics
from skywalking_provider.queries.causes.endpoints import EndpointCause, choose_candidates
from skywalking_provider.queries.causes.records import MAX_SCOPES, RecordSample, summarize_records
from skywalking_provider.queries.causes.target import CauseTarget, Contribution

_CHOICES: Final[Mapping[Contribution, TraceChoice]] = {
    Contribution.FAILURES: TraceChoice.ERRORS,
    Contribution.TIME: TraceChoice.SLOWEST,
}
_SERIES_OF_RECORDS: Final = 10
"""Series that take as many fields of a request as traces and logs of all scopes."""
_WORST: Final[Mapping[Contribution, Order]] = {
    Contribution.FAILURES: Order.LOWEST_FIRST,
    Contribution.TIME: Order.HIGHEST_FIRST,
}


async def read_cause(
    target: CauseTarget, backend: Backend, window: Window, deadline: Deadline, *, with_content: bool
) -> Cause | None:
    """Return what explains a Failed verdict; None if OAP has nothing.

    It sends two optional requests at most: one ranks the endpoints, the other one reads them, traces and error logs.
    What the backend has fetched before is not fetched again.

    Args:
        target: Services to compare.
        backend: Their backend.
        window: Window of the measurement.
        deadline: Deadline of both requests.
        with_content: Whether to read the texts of logs.

    Raises:
        BackendUnavailableError: The backend has no idle slots, or did not respond.
        ProviderError: The response is invalid.
    """
    connection = backend.connection
    features = connection.known_features
    if features is None:
        return None
    with_records = features.supports_records and connection.records_pause.is_over
    names, trace_api = await _rank(target, backend, window, deadline, features, with_records=with_records)
    scopes = _select_scopes(target) if with_records else ()
    choice = _CHOICES[target.contribution]
    fields = record_fields(scopes, duration_variable(window), choice, trace_api, with_content=with_content)
    groups = build_groups(target, names, connection.known_metrics) if names else []
    requests = [request for group in groups for request in group.build_requests()]
    if not requests and not scopes:
        return None
    request = build_request(requests, window, mqe=features.supports_mqe, beside=fields)
    try:
        data = await backend.read(replace(request, optional=True), deadline)
        decode = partial(decode_groups, target, groups, window, data, mqe=features.supports_mqe)
        endpoints = await backend.process(response_size(data), decode) if groups else None
    except (ProviderError, asyncio.CancelledError) as error:
        if scopes and _is_failure(error, deadline):
            connection.records_pause.start()
        raise
    records = _decode_records(scopes, trace_api, choice, endpoints, backend, data) if scopes else None
    if records is None and (endpoints is None or endpoints.first is None):
        return None
    return Cause(
        endpoints if endpoints and endpoints.first else None,
        records,
        connection.config.trace_link,
        connection.config.log_link,
        target.canary.name,
        target.canary.id,
        next(iter(target.canary.layers), ""),
    )


async def _rank(
    target: CauseTarget,
    backend: Backend,
    window: Window,
    deadline: Deadline,
    features: ServerFeatures,
    *,
    with_records: bool,
) -> tuple[tuple[str, ...], TraceApi]:
    """Return the endpoints to read, and the query of traces that the storage serves."""
    known = backend.connection.known_metrics
    rankings = list[tuple[str, Order]]()
    with suppress(ProviderError):  # the OAP has no metrics of endpoints
        metrics = select_metrics(target, known)
        if metrics.value is not None:
            rankings = [(metrics.value, _WORST[target.contribution]), (metrics.calls, Order.HIGHEST_FIRST)]
    detect = with_records and features.detects_whole_traces
    if not rankings and not detect:
        return (), TraceApi.SEGMENTS
    request = rankings_request(target.canary, rankings, window, detect_whole_traces=detect)
    data = await backend.read(request, deadline)
    trace_api = parse_trace_api(data)
    if not rankings:
        return (), trace_api
    worst, busiest = (parse_ranking(data, at) for at in range(len(rankings)))
    requests = [request for group in build_groups(target, ("",), known) for request in group.build_requests()]
    sides = 1 if target.stable is None else 2
    fitting = backend.connection.batch_reader.capacity(requests, window, mqe=features.supports_mqe)
    room = (fitting - (_SERIES_OF_RECORDS if with_records else 0)) // 2 // sides - 1
    return choose_candidates(target.contribution, worst, busiest, min(MAX_RANKED, max(0, room))), trace_api


def _is_failure(error: ProviderError | asyncio.CancelledError, deadline: Deadline) -> bool:
    """Return whether an OAP failed to serve a request, or not in time. One that was not sent is no failure.

    A cancellation after the deadline is a failure, too: if the event loop is late, the time of the whole cause ends
    before the error of the deadline is raised.
    """
    if isinstance(error, asyncio.CancelledError):
        return not deadline.remaining
    return not isinstance(error, BackendUnavailableError) or error.kind not in (
        FailureKind.OVERLOADED,
        FailureKind.CIRCUIT_OPEN,
    )


def _select_scopes(target: CauseTarget) -> tuple[RecordScope, ...]:
    """Return the instances of the canary, or its whole service. Nothing if its instances are not known."""
    if not target.service_wide:
        return (RecordScope(target.canary),)
    return tuple(RecordScope(target.canary, name) for name in sorted(target.instances)[:MAX_SCOPES])


def _decode_records(
    scopes: Sequence[RecordScope],
    trace_api: TraceApi,
    choice: TraceChoice,
    endpoints: EndpointCause | None,
    backend: Backend,
    data: Mapping[str, Any],
) -> RecordSample | None:
    """Return the sample of traces and logs. A part that OAP cannot read, or in another form, is left out."""
    try:
        traces, logs = parse_traces(data, scopes, trace_api), parse_logs(data, scopes)
    except ProviderError:
        traces = logs = None
    if traces is None or logs is None:
        backend.connection.records_pause.start()
    named = endpoints.named if endpoints and not endpoints.service_wide else None
    return summarize_records(choice, traces or (), logs or (), named.name if named else "")
