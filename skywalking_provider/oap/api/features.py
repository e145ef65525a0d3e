"""What an OAP understands: found out once, from its own schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.responses import SCHEMA_TYPE

FEATURES_REQUEST = GraphqlRequest('{ query: __type(name: "Query") { fields { name } } }', {})
"""One type: graphql-java 21.5 (OAP 10.1) takes a request that asks for two as one in bad faith, and refuses it."""


@dataclass(frozen=True, slots=True)
class ServerFeatures:
    """The parts of the query protocol that came after OAP 9.2.

    Attributes:
        supports_mqe: `execExpression` (9.5 and newer).
        supports_nullable: `readNullableMetricsValue`, and with it `isEmptyValue` (9.5 and newer): absent buckets
            differ from zeros.
    """

    supports_mqe: bool
    supports_nullable: bool


ALL_FEATURES = ServerFeatures(supports_mqe=True, supports_nullable=True)
"""Taken where an OAP does not tell its schema: a wrong guess is an Error in the OAP's own words."""


def parse_features(data: Mapping[str, Any]) -> ServerFeatures:
    """Read the answer to ASK_DIALECT.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    found = SCHEMA_TYPE.parse(data, "query")
    queries = {field.name for field in found.fields or ()} if found else set()
    if not queries:
        return ALL_FEATURES
    return ServerFeatures(
        supports_mqe="execExpression" in queries, supports_nullable="readNullableMetricsValue" in queries
    )
