"""Resolvers of the queries of traces and logs: every call of a service with an agent is a trace of one span.

Sources: the recorded responses of OAP 9.6 and 10.1; of whole traces, the schema and TraceQueryService of OAP 10.3.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from skywalking_provider.mock_oap.clock import MINUTE
from skywalking_provider.mock_oap.duration import parse_duration
from skywalking_provider.mock_oap.entity_ids import decode, encode, service_id
from skywalking_provider.mock_oap.graphql_errors import DataFetchingError, Json
from skywalking_provider.mock_oap.scenario import ScenarioService
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.unsupported import UnsupportedError
from skywalking_provider.mock_oap.versions import OapVersion, TraceStorage

_NO_DURATION: Final = "The condition must contains either queryDuration or traceId."
_UNEXPECTED: Final = "org.apache.skywalking.oap.server.core.UnexpectedException: "
_UNSUPPORTED: Final = "java.lang.UnsupportedOperationException: "
_TRACE_FILTERS: Final = ("traceId", "endpointId", "minTraceDuration", "maxTraceDuration", "tags")
_LOG_FILTERS: Final = ("endpointId", "relatedTrace", "keywordsOfContent", "excludingKeywordsOfContent")
_ERROR_LEVEL: Final = {"key": "level", "value": "ERROR"}


@dataclass(frozen=True, slots=True)
class TracedCall:
    """One call of a service with an agent."""

    service: ScenarioService
    instance: str
    endpoint: str
    started_at: int
    """Milliseconds since 1970."""
    latency: int
    ok: bool
    trace_id: str

    def segment(self) -> Json:
        """Return it as `BasicTrace`."""
        return {
            "segmentId": f"{self.trace_id}.s",
            "endpointNames": [self.endpoint],
            "duration": self.latency,
            "start": str(self.started_at),
            "isError": not self.ok,
            "traceIds": [self.trace_id],
        }

    def span(self) -> Json:
        """Return it as `Span`."""
        return {
            "traceId": self.trace_id,
            "segmentId": f"{self.trace_id}.s",
            "spanId": 0,
            "parentSpanId": -1,
            "serviceCode": self.service.name,
            "serviceInstanceName": self.instance,
            "startTime": self.started_at,
            "endTime": self.started_at + self.latency,
            "endpointName": self.endpoint,
            "type": "Entry",
            "isError": not self.ok,
            "layer": "Http",
        }

    def log(self) -> Json:
        """Return the error log of a failed call as `Log`."""
        own_id = service_id(self.service.name, normal=self.service.normal)
        return {
            "serviceName": self.service.name,
            "serviceId": own_id,
            "serviceInstanceName": self.instance,
            "serviceInstanceId": f"{own_id}_{encode(self.instance)}",
            "endpointName": self.endpoint,
            "endpointId": f"{own_id}_{encode(self.endpoint)}",
            "traceId": self.trace_id,
            "timestamp": self.started_at,
            "contentType": "TEXT",
            "content": self.service.error_log,
            "tags": [_ERROR_LEVEL],
        }


@dataclass(frozen=True, slots=True)
class RecordQueries:
    """Resolvers of the queries of traces and logs for one OAP version."""

    store: Store
    oap_version: OapVersion

    def basic_traces(self, condition: Mapping[str, Any]) -> Json:
        """Resolve `queryBasicTraces`."""
        if self.oap_version.trace_storage is TraceStorage.WHOLE:
            raise DataFetchingError(f"{_UNSUPPORTED}BanyanDB Trace Model changed, please use queryTraces")
        return {"traces": [call.segment() for call in self._find_traces(condition)]}

    def whole_traces(self, condition: Mapping[str, Any]) -> Json:
        """Resolve `queryTraces`."""
        if self.oap_version.trace_storage is not TraceStorage.WHOLE:
            raise DataFetchingError(f"{_UNSUPPORTED}Only BanyanDB storage support Trace V2 query now.")
        return {"traces": [{"spans": [call.span()]} for call in self._find_traces(condition)]}

    def trace(self, trace_id: str) -> Json:
        """Resolve `queryTrace`. An unknown trace has no spans."""
        try:
            milliseconds = int(trace_id.rpartition(".")[2])
            minute = datetime.fromtimestamp(milliseconds // 60_000 * 60, UTC)
        except (ValueError, OverflowError, OSError):
            return {"spans": []}
        calls = (call for service in self.store.services() for call in self._iterate_calls(service, minute))
        return {"spans": [call.span() for call in calls if call.trace_id == trace_id]}

    def logs(self, condition: Mapping[str, Any]) -> Json:
        """Resolve `queryLogs`."""
        _reject_filters(condition, _LOG_FILTERS, "logs")
        if not condition.get("queryDuration"):
            raise UnsupportedError("a query of logs without a duration")
        calls = [call for call in self._find_calls(condition) if not call.ok and call.service.error_log]
        if any(tag != _ERROR_LEVEL for tag in condition.get("tags") or ()):
            calls = []
        calls.sort(key=lambda call: call.started_at, reverse=condition.get("queryOrder") != "ASC")
        return {"errorReason": None, "logs": [call.log() for call in _select_page(calls, condition["paging"])]}

    def _find_traces(self, condition: Mapping[str, Any]) -> Sequence[TracedCall]:
        _reject_filters(condition, _TRACE_FILTERS, "traces")
        if not condition.get("queryDuration"):
            raise DataFetchingError(f"{'' if self.oap_version.version < '9.7' else _UNEXPECTED}{_NO_DURATION}")
        state = condition["traceState"]
        calls = [call for call in self._find_calls(condition) if state == "ALL" or call.ok is (state == "SUCCESS")]
        by_duration = condition["queryOrder"] == "BY_DURATION"
        calls.sort(key=lambda call: call.latency if by_duration else call.started_at, reverse=True)
        return _select_page(calls, condition["paging"])

    def _find_calls(self, condition: Mapping[str, Any]) -> Iterator[TracedCall]:
        """Yield the calls of a condition's service or instance in its duration."""
        during = parse_duration(condition["queryDuration"], self.store.clock.zone, self.oap_version)
        instance_id = condition.get("serviceInstanceId") or ""
        encoded_service, _, encoded_instance = instance_id.partition("_")
        for service in self.store.services():
            own_id = service_id(service.name, normal=service.normal)
            if any(one not in ("", own_id) for one in (condition.get("serviceId") or "", encoded_service)):
                continue
            for bucket in during.buckets:
                for minute in bucket.minutes():
                    for call in self._iterate_calls(service, minute):
                        if not instance_id or call.instance == decode(encoded_instance):
                            yield call

    def _iterate_calls(self, service: ScenarioService, minute: datetime) -> Iterator[TracedCall]:
        if not service.agent:
            return
        digest = hashlib.md5(service.name.encode(), usedforsecurity=False).hexdigest()
        for stream, (calls, visible) in enumerate(self.store.calls_at(service, minute)):
            for index in range(visible):
                started_at = round((minute + index * MINUTE / calls.count).timestamp() * 1000)
                call = calls.call(index)
                yield TracedCall(
                    service,
                    call.instance,
                    call.endpoint,
                    started_at,
                    call.latency,
                    call.ok,
                    f"{digest}.{stream}.{started_at}",
                )


def _select_page(calls: Sequence[TracedCall], paging: Mapping[str, Any]) -> Sequence[TracedCall]:
    size = paging["pageSize"]
    first = (max(1, paging.get("pageNum") or 1) - 1) * size
    return calls[first : first + size]


def _reject_filters(condition: Mapping[str, Any], filters: Sequence[str], what: str) -> None:
    for name in filters:
        if condition.get(name):
            raise UnsupportedError(f"a query of {what} by {name}")
