"""Resolvers of the root fields of the GraphQL schema."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from skywalking_provider.mock_oap.alarm_queries import AlarmQueries
from skywalking_provider.mock_oap.graphql_errors import DataFetchingError, Json
from skywalking_provider.mock_oap.metadata_queries import MetadataQueries
from skywalking_provider.mock_oap.metric_catalog import METRICS, MetricType, find_metrics
from skywalking_provider.mock_oap.metrics_v2_queries import MetricsV2Queries
from skywalking_provider.mock_oap.mqe import ExpressionResolver
from skywalking_provider.mock_oap.record_queries import RecordQueries
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.unsupported import reject_unsupported_metric
from skywalking_provider.mock_oap.versions import OapVersion, TraceStorage

Resolver = Callable[..., Any]

WITHOUT_STORAGE: Final = frozenset(
    {"version", "checkHealth", "getTimeInfo", "typeOfMetrics", "listMetrics", "__typename", "__schema", "__type"}
    | {"getMetricsTTL", "getRecordsTTL"}
)
"""Fields that do not read the storage."""

_METRICS_TTL: Final = dict.fromkeys(("minute", "hour", "day"), 7) | dict.fromkeys(
    ("coldMinute", "coldHour", "coldDay"), -1
)
_RECORDS_TTL: Final = dict.fromkeys(("normal", "trace", "zipkinTrace", "log", "browserErrorLog"), 3) | dict.fromkeys(
    ("coldNormal", "coldTrace", "coldZipkinTrace", "coldLog", "coldBrowserErrorLog"), -1
)
"""Days. OAP's defaults, without a cold stage."""


def build_root(store: Store, oap_version: OapVersion, *, decimal_comma: bool) -> dict[str, Resolver]:
    """Return the resolvers by field name. graphql-core passes its info as the first argument."""
    metadata, reads = MetadataQueries(store, oap_version), MetricsV2Queries(store, oap_version)
    alarms = AlarmQueries(store, oap_version)
    expressions = ExpressionResolver(store, oap_version, decimal_comma)
    records = RecordQueries(store, oap_version)

    def time_info(_: object) -> Json:
        return {"timezone": store.clock.offset_text(), "currentTimestamp": store.clock.millis()}

    def health(_: object) -> NoReturn:
        raise DataFetchingError("health-checker missing.")  # recorded from an OAP without that module

    def metrics(_: object, regex: str | None = None) -> list[Json]:
        return [{"name": one.name, "type": one.type, "catalog": one.catalog} for one in find_metrics(regex)]

    def nullable(_: object, condition: Mapping[str, Any], duration: Mapping[str, str]) -> Json:
        value, empty = reads.single(condition, duration)
        return {"value": value, "isEmptyValue": empty}

    def labeled(
        _: object, condition: Mapping[str, Any], labels: Sequence[str], duration: Mapping[str, str]
    ) -> list[Json]:
        return reads.labeled(condition, labels, duration)

    def endpoints(_: object, serviceId: str, limit: int, keyword: str | None = None) -> list[Json]:  # noqa: N803
        return metadata.endpoints(serviceId, keyword, limit)

    def instances(_: object, duration: Mapping[str, str], serviceId: str) -> list[Json]:  # noqa: N803
        return metadata.instances(duration, serviceId)

    def search(_: object, duration: Mapping[str, str], keyword: str) -> list[Json]:  # noqa: ARG001
        return [service for service in metadata.services() if keyword in service["name"]]

    return {
        "version": lambda _: oap_version.build,
        "checkHealth": health,
        "getTimeInfo": time_info,
        "getMetricsTTL": lambda _: _METRICS_TTL,
        "getRecordsTTL": lambda _: _RECORDS_TTL,
        "listLayers": lambda _: metadata.layers(),
        "listServices": lambda _, layer=None: metadata.services(layer),
        "listInstances": instances,
        "getService": lambda _, serviceId: metadata.service_by_id(serviceId),  # noqa: N803
        "findService": lambda _, serviceName: metadata.find_service_by_name(serviceName),  # noqa: N803
        "getInstance": lambda _, instanceId: metadata.instance(instanceId),  # noqa: N803
        "findEndpoint": endpoints,
        "getAllServices": lambda _, **__: metadata.services(),
        "searchServices": search,
        "getServiceInstances": instances,
        "typeOfMetrics": lambda _, name: _metric_type(name),
        "listMetrics": metrics,
        "readMetricsValue": lambda _, condition, duration: reads.single(condition, duration)[0],
        "readMetricsValues": lambda _, condition, duration: reads.values(condition, duration),
        "readNullableMetricsValue": nullable,
        "readLabeledMetricsValues": labeled,
        "sortMetrics": lambda _, condition, duration: reads.sorted(condition, duration),
        "queryEvents": lambda _, condition=None: {"events": store.events.query(condition or {}, oap_version)},
        "getAlarm": lambda _, **arguments: alarms.get_alarm(**arguments),
        "queryAlarms": lambda _, condition: alarms.query_alarms(condition),
        "queryBasicTraces": lambda _, condition=None: records.basic_traces(condition or {}),
        "queryTraces": lambda _, condition=None: records.whole_traces(condition or {}),
        "hasQueryTracesV2Support": lambda _: oap_version.trace_storage is TraceStorage.WHOLE,
        "queryTrace": lambda _, traceId: records.trace(traceId),  # noqa: N803
        "queryLogs": lambda _, condition=None: records.logs(condition or {}),
        "execExpression": lambda _, expression, entity, duration: expressions.execute(expression, entity, duration),
    }


def _metric_type(name: str) -> MetricType:
    if name in METRICS:
        return METRICS[name].type
    reject_unsupported_metric(name)
    return MetricType.UNKNOWN
