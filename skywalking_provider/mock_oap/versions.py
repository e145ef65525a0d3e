"""Differences between the OAP versions in the query protocol, taken from recorded responses of real servers."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from skywalking_provider.schema import (
    ALARMS_SINCE_10_4,
    ALARMS_SINCE_11,
    BEFORE_9_4,
    SINCE_9_5,
    SINCE_10_2,
    WHOLE_TRACES,
)


class TraceStorage(StrEnum):
    """Generation of the trace queries."""

    SEGMENTS = "segments"
    """`queryBasicTraces` alone, as recorded."""
    DETECTED_SEGMENTS = "detected-segments"
    """`queryTraces` is in the schema (10.3), but the storage does not serve it."""
    WHOLE = "whole"
    """`queryTraces` alone: BanyanDB since OAP 10.3, from the schema."""


@dataclass(frozen=True, slots=True)
class OapVersion:
    """Behaviour of one OAP version where the versions differ."""

    version: str
    build: str
    """Response to `query { version }`."""
    sdl: tuple[str, ...]
    """SDL files of the GraphQL schema."""
    content_type: str
    """Content type of a GraphQL response."""
    coercion_is_http_500: bool
    """Whether an invalid variable ends in HTTP 500 with a text instead of a GraphQL error."""
    ambiguous_operation_is_json: bool
    """Whether HTTP 500 for several operations without `operationName` carries a GraphQL error."""
    max_complexity: int
    """Default of `maxQueryComplexity`. Every selected field counts one."""
    limits_introspection: bool
    """Whether a request may select `__type` and `__schema` only once each (graphql-java 21.5 and newer)."""
    ids_name_the_metric: bool
    """Whether the id of a value starts with the name of the metric."""
    checks_scope: bool
    """Whether `scope` of an entity must be that of the metric. Later versions derive it from the metric."""
    blank_names_have_id: bool
    """Whether an empty name is encoded as `_blank`."""
    unknown_metric_has_id: bool
    """Whether the values of an unknown metric have the id UNKNOWN_METRIC_NAME."""
    rejects_single_bucket: bool
    """Whether a duration of one bucket is rejected as longer than 500 steps (a defect of old versions)."""
    percentile_labels: tuple[str, ...]
    """Labels of a percentile metric, in the order of 50, 75, 90, 95, 99."""
    percentile_key: str
    """Key of the percentile label. V2 responses omit the key `_`."""
    max_event_message: int
    """Characters of an event's message in a storage with SQL."""
    conversion_error: str
    """Error of the storage for a labeled metric that is read as a number. Its place is `{}`."""
    mqe: "MqeVersion | None"
    """Version of the metrics query expression; None if the OAP has none."""
    trace_storage: TraceStorage = TraceStorage.SEGMENTS
    """Query of traces that the storage serves."""
    reads_days_by_steps: bool = False
    """Whether a read across midnight that is shorter than a day misses the second day (JDBC storages)."""
    has_owners: bool = False
    """Whether the values of a ranking have owners."""

    def with_trace_storage(self, trace_storage: TraceStorage) -> "OapVersion":
        """Return the version with another generation of the trace queries."""
        added = () if trace_storage is TraceStorage.SEGMENTS else (WHOLE_TRACES,)
        return replace(self.with_sdl(added), trace_storage=trace_storage)

    def with_sdl(self, files: tuple[str, ...]) -> "OapVersion":
        """Return the version with these SDL files beside its own."""
        return replace(self, sdl=tuple(dict.fromkeys((*self.sdl, *files))))

    @property
    def labels_by_key(self) -> bool:
        """Whether labels have keys (`{p=50}`) instead of positions."""
        return self.percentile_key != "_"


@dataclass(frozen=True, slots=True)
class MqeVersion:
    """Behaviour of one generation of the metrics query expression."""

    has_trends: bool
    """Whether `increase`, `rate` and `is_present` exist. Before, these words are names of metrics."""
    free_labels: bool
    """Whether a label may have any name. The first generation knows only `_`, once."""
    syntax_error_throws: bool
    """Whether a malformed expression ends the whole request with a GraphQL error."""
    unknown_metric_message: str
    computed_has_labels: bool
    """Whether the result of an operation on scalars has `labels: []` instead of `metric: null`."""
    illegal_entity_is_unknown: bool
    """Whether an incomplete entity gives the result type UNKNOWN instead of absent values."""
    has_boolean_operators: bool
    """Whether `&&` and `||` join comparisons (10.2)."""


_MQE_9 = MqeVersion(
    has_trends=False,
    free_labels=False,
    syntax_error_throws=True,
    unknown_metric_message="Metric: [{}] dose not exist.",
    computed_has_labels=False,
    illegal_entity_is_unknown=False,
    has_boolean_operators=False,
)

_MQE_10 = MqeVersion(
    has_trends=True,
    free_labels=True,
    syntax_error_throws=False,
    unknown_metric_message="Metric: [{}] does not exist.",
    computed_has_labels=True,
    illegal_entity_is_unknown=True,
    has_boolean_operators=False,
)

_POSITIONS: Final = ("0", "1", "2", "3", "4")
PERCENTILES: Final = (50, 75, 90, 95, 99)

# The version that was recorded first in full; the others by their differences.
_10_1: Final = OapVersion(
    version="10.1.0",
    build="10.1.0-d28dfea",
    sdl=SINCE_9_5,
    content_type="application/json",
    coercion_is_http_500=False,
    ambiguous_operation_is_json=True,
    max_complexity=3000,
    limits_introspection=True,
    ids_name_the_metric=True,
    checks_scope=False,
    blank_names_have_id=True,
    unknown_metric_has_id=True,
    rejects_single_bucket=False,
    percentile_labels=tuple(str(p) for p in PERCENTILES),
    percentile_key="p",
    max_event_message=2000,
    conversion_error='org.h2.jdbc.JdbcSQLDataException: Data conversion error converting "{}" [22018-212]',
    mqe=_MQE_10,
)
_10_4: Final = replace(
    _10_1,
    version="10.4.0",
    build="10.4.0-b272da3",
    sdl=(*SINCE_9_5, SINCE_10_2, WHOLE_TRACES, *ALARMS_SINCE_10_4),
    conversion_error="org.postgresql.util.PSQLException: Bad value for type long : {}",
    mqe=replace(_MQE_10, has_boolean_operators=True),
    trace_storage=TraceStorage.DETECTED_SEGMENTS,
    has_owners=True,
)
_9_6: Final = replace(
    _10_1,
    version="9.6.0",
    build="9.6.0-fb61128",
    ambiguous_operation_is_json=False,
    limits_introspection=False,
    percentile_labels=_POSITIONS,
    percentile_key="_",
    max_event_message=200,
    mqe=_MQE_9,
)
_9_2: Final = replace(
    _9_6,
    version="9.2.0",
    build="9.2.0-cb8845a",
    sdl=BEFORE_9_4,
    content_type="application/graphql+json",
    coercion_is_http_500=True,
    max_complexity=1000,
    ids_name_the_metric=False,
    checks_scope=True,
    blank_names_have_id=False,
    unknown_metric_has_id=False,
    rejects_single_bucket=True,
    mqe=None,
)


class AlarmApi(StrEnum):
    """Generation of the alarm queries, which the mock has beside the recorded versions."""

    GET_ALARM = "getAlarm"
    """`getAlarm` without the time of the recovery, as recorded."""
    RECOVERY = "recovery"
    """`getAlarm` with the time of the recovery (10.4), from the schema."""
    QUERY_ALARMS = "queryAlarms"
    """`queryAlarms` beside it (11), from the schema."""

    @property
    def sdl(self) -> tuple[str, ...]:
        """SDL files beside those of the version."""
        match self:
            case AlarmApi.GET_ALARM:
                return ()
            case AlarmApi.RECOVERY:
                return ALARMS_SINCE_10_4
            case AlarmApi.QUERY_ALARMS:
                return ALARMS_SINCE_11


OAP_VERSIONS: Final = {version.version: version for version in (_9_2, _9_6, _10_1, _10_4)}


def select_version(version: str) -> OapVersion:
    """Return the behaviour of a supported version.

    Raises:
        ValueError: The version was not recorded. The message lists those that were.
    """
    try:
        return OAP_VERSIONS[version]
    except KeyError:
        known = ", ".join(OAP_VERSIONS)
        raise ValueError(f"OAP version {version!r} was not recorded. Choose one of {known}.") from None
