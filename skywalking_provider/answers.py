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
class Clock:
    """`getTimeInfo`: an offset such as "+0545", and milliseconds since 1970."""

    timezone: StrictStr
    milliseconds: Annotated[Long, Field(alias="currentTimestamp")]


@dataclass(frozen=True, slots=True)
class Named:
    """An endpoint, or a field of a schema's type."""

    name: StrictStr


@dataclass(frozen=True, slots=True)
class SchemaType:
    """`__type`; scalars have no fields."""

    fields: tuple[Named, ...] | None


@dataclass(frozen=True, slots=True)
class Metric:
    """One of `listMetrics`; `catalog` is the scope in SkyWalking's older words, such as SERVICE_INSTANCE."""

    name: StrictStr
    catalog: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """One of `listServices`."""

    id: StrictStr
    name: StrictStr
    layers: tuple[StrictStr, ...] = ()
    normal: StrictBool | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """A fact about an instance."""

    name: StrictStr
    value: StrictStr


@dataclass(frozen=True, slots=True)
class Instance:
    """One of `listInstances`."""

    name: StrictStr
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """A bucket of a V2 read; `empty` is None where the OAP cannot tell (before 9.5)."""

    value: Long
    empty: Annotated[StrictBool | None, Field(alias="isEmptyValue")] = None


@dataclass(frozen=True, slots=True)
class Buckets:
    """`IntValues`."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """`MetricsValues`: what V2 reads of one label, or of a metric without labels."""

    values: Buckets
    label: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a series."""

    key: StrictStr
    value: StrictStr | None


@dataclass(frozen=True, slots=True)
class Labels:
    """`Metadata` of a series."""

    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpressionValue:
    """One value of an expression: a text, None where it is absent; `id` is its time, or its name in a ranking."""

    value: StrictStr | None
    id: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class ExpressionSeries:
    """`MQEValues`."""

    values: tuple[ExpressionValue, ...]
    metric: Labels | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """`ExpressionResult`; where there is an `error`, nothing else counts."""

    type: StrictStr
    results: tuple[ExpressionSeries, ...]
    error: StrictStr | None = None


class Form(Generic[T]):
    """One form that a field of an answer has."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def read(self, data: Mapping[str, Any], field: str) -> T:
        """A field of an answer's data.

        Raises:
            ProviderError: OAP_RESPONSE_INVALID, with the place in the answer.
        """
        if field not in data:
            refuse(field, "missing")
        try:
            return self._adapter.validate_python(data[field])
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            found = "missing" if detail["type"] == "missing" else told(detail["input"])
            refuse(".".join(map(str, (field, *detail["loc"]))), found)


CLOCK = Form[Clock](Clock)
SCHEMA_TYPE = Form[SchemaType | None](SchemaType | None)
NAMES = Form[tuple[Named, ...]](tuple[Named, ...])
TEXTS = Form[tuple[str, ...]](tuple[StrictStr, ...])
METRICS = Form[tuple[Metric, ...]](tuple[Metric, ...])
SERVICES = Form[tuple[Service, ...]](tuple[Service, ...])
INSTANCES = Form[tuple[Instance, ...]](tuple[Instance, ...])
VALUE = Form[Value](Value)
SERIES = Form[Series](Series)
LABELED = Form[tuple[Series, ...]](tuple[Series, ...])
EXPRESSION = Form[Expression](Expression)


def is_long(number: int) -> bool:
    """Whether Java could have written it."""
    return -(2**63) <= number < 2**63


def refuse(place: str, found: str) -> NoReturn:
    """Say that an answer is none of SkyWalking's: where, and what is there instead."""
    raise ProviderError(
        Reason.OAP_RESPONSE_INVALID,
        f"the answer has another form than SkyWalking's: {place} is {found}",
        "is the backend a SkyWalking OAP?",
    )


def told(found: object) -> str:
    """What was found in the wrong place, shortly."""
    match found:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
    text = repr(found) if isinstance(found, str) else str(found).lower()
    return text if len(text) <= 24 else f"{text[:23]}…"
