"""What SkyWalking answers, as types. An answer of another form is refused here, at the border, with the place in it.

The fields are those of SkyWalking's query protocol (metrics-v2.graphqls, metrics-v3.graphqls, metadata-v2.graphqls), as
far as they are read; others are left out. Only `data` is looked at: `errors` are told in `oap.trouble`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, NoReturn, TypeVar

from pydantic import Field, StrictBool, StrictInt, StrictStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from skywalking_provider.errors import ProviderError, Reason

T = TypeVar("T")

Long = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
"""Java's."""


@dataclass(frozen=True, slots=True)
class TimeInfo:
    """`getTimeInfo`: an offset such as "+0545", and milliseconds since 1970."""

    timezone: StrictStr
    milliseconds: Annotated[Long, Field(alias="currentTimestamp")]


@dataclass(frozen=True, slots=True)
class NamedItem:
    """An endpoint, or a field of a schema's type."""

    name: StrictStr


@dataclass(frozen=True, slots=True)
class SchemaType:
    """`__type`; scalars have no fields."""

    fields: tuple[NamedItem, ...] | None


@dataclass(frozen=True, slots=True)
class ListedMetric:
    """One of `listMetrics`; `catalog` is the scope in SkyWalking's older words, such as SERVICE_INSTANCE."""

    name: StrictStr
    catalog: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class ListedService:
    """One of `listServices`."""

    id: StrictStr
    name: StrictStr
    layers: tuple[StrictStr, ...] = ()
    normal: StrictBool | None = None


@dataclass(frozen=True, slots=True)
class InstanceAttribute:
    """A fact about an instance."""

    name: StrictStr
    value: StrictStr


@dataclass(frozen=True, slots=True)
class ListedInstance:
    """One of `listInstances`."""

    name: StrictStr
    attributes: tuple[InstanceAttribute, ...] = ()


@dataclass(frozen=True, slots=True)
class KVInt:
    """A bucket of a V2 read; `empty` is None where the OAP cannot tell (before 9.5)."""

    value: Long
    empty: Annotated[StrictBool | None, Field(alias="isEmptyValue")] = None


@dataclass(frozen=True, slots=True)
class IntValues:
    """`IntValues`."""

    values: tuple[KVInt, ...]


@dataclass(frozen=True, slots=True)
class MetricsValues:
    """`MetricsValues`: what V2 reads of one label, or of a metric without labels."""

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

    labels: tuple[MqeLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class MqeValue:
    """One value of an expression: a text, None where it is absent; `id` is its time, or its name in a ranking."""

    value: StrictStr | None
    id: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class MqeValues:
    """`MQEValues`."""

    values: tuple[MqeValue, ...]
    metric: MqeMetadata | None = None


@dataclass(frozen=True, slots=True)
class ExpressionResult:
    """`ExpressionResult`; where there is an `error`, nothing else counts."""

    type: StrictStr
    results: tuple[MqeValues, ...]
    error: StrictStr | None = None


class FieldParser(Generic[T]):
    """One form that a field of an answer has."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def parse(self, data: Mapping[str, Any], field: str) -> T:
        """A field of an answer's data.

        Raises:
            ProviderError: OAP_RESPONSE_INVALID, with the place in the answer.
        """
        if field not in data:
            raise_invalid_response(field, "missing")
        try:
            return self._adapter.validate_python(data[field])
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            found = "missing" if detail["type"] == "missing" else describe_json(detail["input"])
            raise_invalid_response(".".join(map(str, (field, *detail["loc"]))), found)


TIME_INFO = FieldParser[TimeInfo](TimeInfo)
SCHEMA_TYPE = FieldParser[SchemaType | None](SchemaType | None)
NAMES = FieldParser[tuple[NamedItem, ...]](tuple[NamedItem, ...])
TEXTS = FieldParser[tuple[str, ...]](tuple[StrictStr, ...])
METRICS = FieldParser[tuple[ListedMetric, ...]](tuple[ListedMetric, ...])
SERVICES = FieldParser[tuple[ListedService, ...]](tuple[ListedService, ...])
INSTANCES = FieldParser[tuple[ListedInstance, ...]](tuple[ListedInstance, ...])
KV_INT = FieldParser[KVInt](KVInt)
METRICS_VALUES = FieldParser[MetricsValues](MetricsValues)
LABELED_METRICS_VALUES = FieldParser[tuple[MetricsValues, ...]](tuple[MetricsValues, ...])
EXPRESSION_RESULT = FieldParser[ExpressionResult](ExpressionResult)


def is_long(number: int) -> bool:
    """Whether Java could have written it."""
    return -(2**63) <= number < 2**63


def raise_invalid_response(path: str, actual: str) -> NoReturn:
    """Say that an answer is none of SkyWalking's: where, and what is there instead."""
    raise ProviderError(
        Reason.OAP_RESPONSE_INVALID,
        f"the answer has another form than SkyWalking's: {path} is {actual}",
        "is the backend a SkyWalking OAP?",
    )


def describe_json(value: object) -> str:
    """What was found in the wrong place, shortly."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 24 else f"{text[:23]}…"
