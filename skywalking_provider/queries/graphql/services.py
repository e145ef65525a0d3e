"""Services that a query reads by name."""

from collections.abc import Iterator

from graphql import FieldNode, ObjectValueNode, StringValueNode, ValueNode

from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.queries.graphql.rewrite import top_level_fields

_INSTANCE = "serviceInstanceName"


def services_read_by_name(query: str) -> tuple[str, ...]:
    """Return the names of the services whose own metrics, or those of their endpoints, a query reads.

    Args:
        query: Text that `parse_query` accepts.

    Raises:
        ProviderError: QUERY_INVALID, if a fragment stands at the root.
    """
    names: dict[str, None] = {}
    for read in top_level_fields(parse_query(query)):
        for entity in _entities(read):
            service = entity.get("serviceName")
            if isinstance(service, StringValueNode) and _INSTANCE not in entity:
                names[service.value] = None
    return tuple(names)


def _entities(read: FieldNode) -> Iterator[dict[str, ValueNode]]:
    """Yield the literal entities of a read: `entity` is an argument, or a field of `condition`."""
    for argument in read.arguments or ():
        fields = _object_fields(argument.value)
        if argument.name.value == "entity":
            yield fields
        elif "entity" in fields:
            yield _object_fields(fields["entity"])


def _object_fields(node: ValueNode) -> dict[str, ValueNode]:
    return {part.name.value: part.value for part in node.fields} if isinstance(node, ObjectValueNode) else {}
