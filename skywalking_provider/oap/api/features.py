"""Features of an OAP, detected from its schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.responses import SCHEMA_TYPE

FEATURES_REQUEST = GraphqlRequest('{ query: __type(name: "Query") { fields { name } } }', {})
"""One type only: graphql-java 21.5 (OAP 10.1) rejects the introspection of two types in one request."""

HEALTH_REQUEST = GraphqlRequest("{ __typename }", {})
"""The lightest request: every GraphQL server responds without reading data."""


@dataclass(frozen=True, slots=True)
class ServerFeatures:
    """Parts of the query protocol that not every OAP has.

    Attributes:
        supports_mqe: `execExpression` (9.5 and newer).
        supports_nullable: `readNullableMetricsValue`, and with it `isEmptyValue` (9.5 and newer): absent buckets
            are distinguished from zeros.
        supports_alarm_query: `queryAlarms` (11 and newer). `getAlarm`, which every OAP has, selects no rules.
        supports_records: `queryBasicTraces` and `queryLogs`. An OAP without their modules has them, too.
        detects_whole_traces: `hasQueryTracesV2Support` (10.3 and newer), which tells how traces are stored.
        reports_ttl: `getMetricsTTL` (10.3 and newer).
    """

    supports_mqe: bool
    supports_nullable: bool
    supports_alarm_query: bool = False
    supports_records: bool = False
    detects_whole_traces: bool = False
    reports_ttl: bool = False


ALL_FEATURES = ServerFeatures(supports_mqe=True, supports_nullable=True, supports_records=True)
"""Assumed if an OAP forbids introspection: a wrong guess becomes an error message of the OAP. Alarms are read by
`getAlarm`."""


def parse_features(data: Mapping[str, Any]) -> ServerFeatures:
    """Return the features from the response to FEATURES_REQUEST.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    query_type = SCHEMA_TYPE.parse(data, "query")
    queries = {field.name for field in query_type.fields or ()} if query_type else set()
    if not queries:
        return ALL_FEATURES
    return ServerFeatures(
        supports_mqe="execExpression" in queries,
        supports_nullable="readNullableMetricsValue" in queries,
        supports_alarm_query="queryAlarms" in queries,
        supports_records={"queryBasicTraces", "queryLogs"} <= queries,
        detects_whole_traces="hasQueryTracesV2Support" in queries,
        reports_ttl="getMetricsTTL" in queries,
    )
