"""What an OAP understands: found out once, from its own schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skywalking_provider.answers import SCHEMA_TYPE
from skywalking_provider.plan import Read

ASK_DIALECT = Read('{ query: __type(name: "Query") { fields { name } } }', {})
"""One type: graphql-java 21.5 (OAP 10.1) takes a request that asks for two as one in bad faith, and refuses it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parts of the query protocol that came after OAP 9.2.

    Attributes:
        mqe: `execExpression` (9.5 and newer).
        nullable: `readNullableMetricsValue`, and with it `isEmptyValue` (9.5 and newer): absent buckets can be told
            from zeros.
    """

    mqe: bool
    nullable: bool


NEWEST = Dialect(mqe=True, nullable=True)
"""Taken where an OAP does not tell its schema: a wrong guess is an Error in the OAP's own words."""


def dialect_from(data: Mapping[str, Any]) -> Dialect:
    """Read the answer to ASK_DIALECT.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    found = SCHEMA_TYPE.read(data, "query")
    queries = {field.name for field in found.fields or ()} if found else set()
    if not queries:
        return NEWEST
    return Dialect(mqe="execExpression" in queries, nullable="readNullableMetricsValue" in queries)
