"""Reads of a GraphQL query, and responses that it can have by its selection and SkyWalking's schema. Pure."""

from typing import Any, Final

from graphql import FragmentDefinitionNode

from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.errors import ProviderError
from skywalking_provider.queries.graphql.metric_read import RewrittenQuery
from skywalking_provider.queries.graphql.response_shape import ListShape, ObjectShape, ScalarShape, Shape, ShapeBuilder
from skywalking_provider.queries.graphql.rewrite import add_presence_reads, top_level_fields

_NUMBERS: Final = (1_000_000, 0)
"""Numbers of the responses: conditions on both sides of a threshold are evaluated to their end."""
_ITEMS: Final = 6
"""Items of a list: conditions name percentiles by position, 0 to 4."""


def read_query(query: str) -> RewrittenQuery | None:
    """Return the reads of a query; None if the provider rejects it."""
    try:
        return add_presence_reads(query, nullable=True)
    except ProviderError:
        return None


def build_results(query: str) -> list[dict[str, Any]] | None:
    """Return responses to a query; None if the schema does not have all of its reads."""
    document = parse_query(query)
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    builder = ShapeBuilder(fragments)
    try:
        reads = [builder.build(read) for read in top_level_fields(document)]
    except (ProviderError, RecursionError):
        return None
    if any(read.shape is None or not _is_known(read.shape) for read in reads):
        return None
    return [{read.name: _build(read.shape, number) for read in reads if read.shape} for number in _NUMBERS]


def _is_known(shape: Shape) -> bool:
    match shape:
        case ListShape(item=item):
            return _is_known(item)
        case ObjectShape(fields=fields):
            return all(one.shape is not None and _is_known(one.shape) for one in fields)
        case ScalarShape():
            return True


def _build(shape: Shape, number: int) -> Any:
    match shape:
        case ListShape(item=item):
            return [_build(item, number) for _ in range(_ITEMS)]
        case ObjectShape(fields=fields):
            return {one.name: _build(one.shape, number) for one in fields if one.shape is not None}
        case ScalarShape(type=kind):
            return kind(number)
