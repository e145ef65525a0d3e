"""SkyWalking's metrics and metadata as types, and their parsers.

The fields are those of SkyWalking's query protocol (metrics-v2.graphqls, metrics-v3.graphqls, metadata-v2.graphqls);
fields that the provider does not read are left out.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StrictBool, StrictStr

from skywalking_provider.oap.api.response_parser import FieldParser, Items, Long


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
FLAG = FieldParser[bool](StrictBool)
EXPRESSION_RESULT = FieldParser[ExpressionResult](ExpressionResult)
