"""What an OAP understands: found out once, from its own schema."""

from dataclasses import dataclass
from typing import Any

from skywalking_provider.plan import Read

ASK_DIALECT = Read(
    '{ query: __type(name: "Query") { fields { name } } value: __type(name: "KVInt") { fields { name } } }', {}
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parts of the query protocol that came after OAP 9.2.

    Attributes:
        mqe: `execExpression` (9.5 and newer).
        nullable: `isEmptyValue` and `readNullableMetricsValue` (9.5 and newer): absent buckets can be told from zeros.
    """

    mqe: bool
    nullable: bool


NEWEST = Dialect(mqe=True, nullable=True)
"""Taken where an OAP does not tell its schema: a wrong guess is an Error in the OAP's own words."""


def dialect_from(data: dict[str, Any]) -> Dialect:
    """Read the answer to ASK_DIALECT."""
    queries, value = _fields(data.get("query")), _fields(data.get("value"))
    if not queries:
        return NEWEST
    return Dialect(
        mqe="execExpression" in queries, nullable="isEmptyValue" in value and "readNullableMetricsValue" in queries
    )


def _fields(kind: object) -> set[str]:
    match kind:
        case {"fields": list(fields)}:
            return {field["name"] for field in fields if isinstance(field, dict) and "name" in field}
    return set()
