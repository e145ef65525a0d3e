"""SkyWalking's alarms, traces and logs as types, and their parsers.

The fields are those of SkyWalking's query protocol (alarm.graphqls, trace.graphqls, trace-v2.graphqls, log.graphqls);
fields that the provider does not read are left out.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field, StrictBool, StrictInt, StrictStr

from skywalking_provider.oap.api.response_parser import FieldParser, Items, Long
from skywalking_provider.support.instants import LATEST

_END_MILLISECONDS: Final = int(LATEST.timestamp()) * 1000


@dataclass(frozen=True, slots=True)
class KeyValue:
    """`KeyValue`."""

    key: StrictStr
    value: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class ListedAlarm:
    """`AlarmMessage`. Its times are milliseconds since 1970; that of the recovery is None or 0 before."""

    began_at: Annotated[StrictInt, Field(alias="startTime", ge=0, lt=_END_MILLISECONDS)]
    id: StrictStr
    message: StrictStr
    scope: StrictStr | None = None
    tags: Items[KeyValue] = ()
    recovered_at: Annotated[Long | None, Field(alias="recoveryTime")] = None


@dataclass(frozen=True, slots=True)
class ListedAlarms:
    """`Alarms`."""

    msgs: Items[ListedAlarm]


@dataclass(frozen=True, slots=True)
class BasicTrace:
    """`BasicTrace`: one segment of a trace. `start` has milliseconds since 1970 as a text."""

    trace_ids: Annotated[Items[StrictStr], Field(alias="traceIds")]
    endpoints: Annotated[Items[StrictStr], Field(alias="endpointNames")]
    milliseconds: Annotated[Long, Field(alias="duration")]
    start: StrictStr
    is_error: Annotated[StrictBool | None, Field(alias="isError")] = None


@dataclass(frozen=True, slots=True)
class TraceBrief:
    """`TraceBrief`."""

    traces: Items[BasicTrace]


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """`Span` of a whole trace, with the service and the instance that reported it."""

    trace_id: Annotated[StrictStr, Field(alias="traceId")]
    service: Annotated[StrictStr, Field(alias="serviceCode")]
    instance: Annotated[StrictStr, Field(alias="serviceInstanceName")]
    start: Annotated[Long, Field(alias="startTime")]
    end: Annotated[Long, Field(alias="endTime")]
    type: StrictStr
    endpoint: Annotated[StrictStr | None, Field(alias="endpointName")] = None
    is_error: Annotated[StrictBool | None, Field(alias="isError")] = None


@dataclass(frozen=True, slots=True)
class WholeTrace:
    """`TraceV2`."""

    spans: Items[TraceSpan]


@dataclass(frozen=True, slots=True)
class TraceList:
    """`TraceList`."""

    traces: Items[WholeTrace]


@dataclass(frozen=True, slots=True)
class LogLine:
    """`Log`. The content is None if it was not requested."""

    timestamp: Long
    trace_id: Annotated[StrictStr | None, Field(alias="traceId")] = None
    endpoint: Annotated[StrictStr | None, Field(alias="endpointName")] = None
    content: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class LogList:
    """`Logs`."""

    logs: Items[LogLine]


ALARMS = FieldParser[ListedAlarms](ListedAlarms)
TRACE_BRIEF = FieldParser[TraceBrief | None](TraceBrief | None)
TRACE_LIST = FieldParser[TraceList | None](TraceList | None)
LOGS = FieldParser[LogList | None](LogList | None)
