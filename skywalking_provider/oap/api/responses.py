"""SkyWalking's responses as types. A response of another form is rejected here, with the place of the problem.

The fields are those of SkyWalking's query protocol (metrics-v2.graphqls, metrics-v3.graphqls, metadata-v2.graphqls,
alarm.graphqls, trace.graphqls, trace-v2.graphqls, log.graphqls); fields that the provider does not read are left out.
Only `data` is parsed: `transport/error_mapping.py` handles `errors`.

A list ends at its first invalid item: pydantic otherwise makes an error of each, 700 bytes for one of two bytes.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Generic, NoReturn, TypeVar

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.support.instants import LATEST

T = TypeVar("T")

_MAX_SHOWN: Final = 24  # characters of a value in a message
_END_MILLISECONDS: Final = int(LATEST.timestamp()) * 1000
_MAX_PATH: Final = 200  # characters of a path in a message; some of its names are the OAP's


def _let_other_threads_run(item: T) -> T:
    """Return the item. Python switches threads in calls like this one; pydantic otherwise validates a list in one."""
    return item


Item = Annotated[T, AfterValidator(_let_other_threads_run)]
"""An item of a list that may be long."""

Items = Annotated[tuple[Item[T], ...], Field(fail_fast=True)]
"""A list that is rejected at its first invalid item."""

Long = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
"""Java's `long`."""


@dataclass(frozen=True, slots=True)
class TimeInfo:
    """`TimeInfo`: an offset such as "+0545", and milliseconds since 1970."""

    timezone: StrictStr
    milliseconds: Annotated[Long, Field(alias="currentTimestamp")]


@dataclass(frozen=True, slots=True)
class NamedItem:
    """An endpoint, or a field of a type in the schema."""

    name: StrictStr


@dataclass(frozen=True, slots=True)
class SchemaType:
    """`__type`; scalars have no fields."""

    fields: Items[NamedItem] | None


@dataclass(frozen=True, slots=True)
class ListedMetric:
    """A metric of `listMetrics`. `catalog` is the scope in SkyWalking's older terms, such as SERVICE_INSTANCE."""

    name: StrictStr
    catalog: StrictStr | None = None
    type: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class ListedService:
    """A service of `listServices`."""

    id: StrictStr
    name: StrictStr
    layers: Items[StrictStr] = ()
    normal: StrictBool | None = None


@dataclass(frozen=True, slots=True)
class InstanceAttribute:
    """An attribute of an instance."""

    name: StrictStr
    value: StrictStr


@dataclass(frozen=True, slots=True)
class ListedInstance:
    """An instance of `listInstances`."""

    name: StrictStr
    attributes: Items[InstanceAttribute] = ()


@dataclass(frozen=True, slots=True)
class KVInt:
    """`KVInt`: a bucket of a V2 read. `empty` is None if the OAP does not report it (before 9.5).

    The `id` names the bucket's time; it is None if it was not requested.
    """

    value: Long
    id: StrictStr | None = None
    empty: Annotated[StrictBool | None, Field(alias="isEmptyValue")] = None


@dataclass(frozen=True, slots=True)
class IntValues:
    """`IntValues`."""

    values: Items[KVInt]


@dataclass(frozen=True, slots=True)
class MetricsValues:
    """`MetricsValues`: a V2 series of one label, or of a metric without labels."""

    values: IntValues
    label: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class MqeLabel:
    """A label of a series."""

    key: StrictStr
    value: StrictStr | None


@dataclass(frozen=True, slots=True)
class MqeMetadata:
    """`Metadata` of a series."""

    labels: Items[MqeLabel] = ()


@dataclass(frozen=True, slots=True)
class MqeValue:
    """`MQEValue`: a text, or None if it is absent. `id` is its time, or its name in a ranking."""

    value: StrictStr | None
    id: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class MqeValues:
    """`MQEValues`."""

    values: Items[MqeValue]
    metric: MqeMetadata | None = None


@dataclass(frozen=True, slots=True)
class ExpressionResult:
    """`ExpressionResult`; if it has an `error`, the other fields are ignored."""

    type: StrictStr
    results: Items[MqeValues]
    error: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class SelectedRecord:
    """`SelectedRecord`: an entity of a ranking with its average as a text."""

    name: StrictStr
    value: StrictStr | None = None


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


class FieldParser(Generic[T]):
    """Parser of one field of a response."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def parse(self, data: Mapping[str, Any], field: str) -> T:
        """Parse a field of a response's data.

        Raises:
            ProviderError: OAP_RESPONSE_INVALID, with the place in the response.
        """
        if field not in data:
            raise_invalid_response(field, "missing")
        try:
            return self._adapter.validate_python(data[field])
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            actual = "missing" if detail["type"] == "missing" else describe_json(detail["input"])
            raise_invalid_response(".".join(map(str, (field, *detail["loc"]))), actual)


TIME_INFO = FieldParser[TimeInfo](TimeInfo)
SCHEMA_TYPE = FieldParser[SchemaType | None](SchemaType | None)
NAMES = FieldParser[tuple[NamedItem, ...]](Items[NamedItem])
TEXTS = FieldParser[tuple[str, ...]](Items[StrictStr])
METRICS = FieldParser[tuple[ListedMetric, ...]](Items[ListedMetric])
SERVICES = FieldParser[tuple[ListedService, ...]](Items[ListedService])
INSTANCES = FieldParser[tuple[ListedInstance, ...]](Items[ListedInstance])
KV_INT = FieldParser[KVInt](KVInt)
METRICS_VALUES = FieldParser[MetricsValues](MetricsValues)
LABELED_METRICS_VALUES = FieldParser[tuple[MetricsValues, ...]](Items[MetricsValues])
RANKING = FieldParser[tuple[SelectedRecord, ...]](Items[SelectedRecord])
ALARMS = FieldParser[ListedAlarms](ListedAlarms)
TRACE_BRIEF = FieldParser[TraceBrief | None](TraceBrief | None)
TRACE_LIST = FieldParser[TraceList | None](TraceList | None)
LOGS = FieldParser[LogList | None](LogList | None)
FLAG = FieldParser[bool](StrictBool)
EXPRESSION_RESULT = FieldParser[ExpressionResult](ExpressionResult)


def is_long(number: int) -> bool:
    """Return whether a number fits into Java's `long`."""
    return -(2**63) <= number < 2**63


def raise_invalid_response(path: str, actual: str) -> NoReturn:
    """Raise the error of a response that has an unexpected form.

    Args:
        path: Place in the response.
        actual: Description of the value in that place.
    """
    raise ProviderError(
        Reason.OAP_RESPONSE_INVALID,
        f"response has an unexpected form: {path[:_MAX_PATH]} is {actual}",
        "Check that the backend is a SkyWalking OAP",
    )


def describe_json(value: object) -> str:
    """Describe a JSON value in a few words."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
    text = repr(value[:_MAX_SHOWN]) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
