"""Keys of recorded series, and which reads can be cut to a shorter window. Pure."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, StringValueNode, parse

from skywalking_provider.block.expression_syntax import called_functions
from skywalking_provider.model import Entity
from skywalking_provider.oap.api.metric_values import SeriesRequest

_BUCKETWISE: Final = frozenset({"abs", "ceil", "floor", "round", "aggregate_labels", "relabels"})
"""Functions of MQE whose value in a bucket depends on that bucket alone."""
_SERIES_READS: Final = frozenset({"readMetricsValues", "readLabeledMetricsValues"})
_EXPRESSION_READ: Final = "execExpression"
_CACHED: Final = 1024


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """Identity of one series.

    Attributes:
        expression: Expression, or the name of the metric.
        entity: Entity of the series.
        labeled: Whether the metric has labels.
    """

    expression: str
    entity: Entity
    labeled: bool

    @classmethod
    def of(cls, request: SeriesRequest) -> "SeriesKey":
        """Return the key of a request."""
        return cls(request.expression, request.entity, request.labeled)

    @property
    def text(self) -> str:
        """Text of the key for files."""
        entity = self.entity
        return json.dumps(
            [self.expression, entity.service, entity.normal, entity.instance, entity.endpoint, self.labeled]
        )

    def to_request(self, alias: str) -> SeriesRequest:
        """Return the request for the series."""
        return SeriesRequest(alias, self.expression, self.entity, self.labeled)


@lru_cache(_CACHED)
def is_bucketwise(expression: str) -> bool:
    """Return whether the buckets of an expression are the same in every window that has them."""
    return _BUCKETWISE.issuperset(called_functions(expression))


@lru_cache(_CACHED)
def reads_buckets(query: str) -> bool:
    """Return whether all reads of a GraphQL query have a value for each bucket of `$duration`."""
    try:
        document = parse(query)
    except GraphQLError:
        return False
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if len(operations) != len(document.definitions):  # fragments may hide a read
        return False
    return all(
        isinstance(field, FieldNode) and _has_buckets(field)
        for operation in operations
        for field in operation.selection_set.selections
    )


def _has_buckets(field: FieldNode) -> bool:
    if field.name.value in _SERIES_READS:
        return True
    if field.name.value != _EXPRESSION_READ:
        return False
    expressions = [one.value for one in field.arguments or () if one.name.value == "expression"]
    return all(isinstance(one, StringValueNode) and is_bucketwise(one.value) for one in expressions)
