"""What an OAP understands: found out once, from its own schema."""

from dataclasses import dataclass
from typing import Any

from skywalking_provider.errors import ProviderError, Reason
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


def dialect_from(data: dict[str, Any]) -> Dialect:
    """Read the answer to ASK_DIALECT.

    Raises:
        ProviderError: It is not the schema of a SkyWalking OAP.
    """
    queries, value = _fields(data.get("query")), _fields(data.get("value"))
    if "readMetricsValues" not in queries and "execExpression" not in queries:
        raise ProviderError(
            Reason.OAP_ANSWER_INVALID, "its schema reads no metrics", "is the backend a SkyWalking OAP?"
        )
    return Dialect(
        mqe="execExpression" in queries, nullable="isEmptyValue" in value and "readNullableMetricsValue" in queries
    )


def _fields(kind: object) -> set[str]:
    match kind:
        case {"fields": list(fields)}:
            return {field["name"] for field in fields if isinstance(field, dict) and "name" in field}
    return set()
