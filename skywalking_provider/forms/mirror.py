"""Whether the answer to an author's own read is one: it mirrors what he selected, under whatever names. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    InlineFragmentNode,
    SelectionSetNode,
    build_schema,
    get_nullable_type,
    is_non_null_type,
)

from skywalking_provider.answers import is_long, refuse, told

# SkyWalking's metrics-v2.graphqls and metrics-v3.graphqls, as far as numbers go; other fields may hold anything.
_READS: Final = build_schema(
    """
    scalar Long
    type Query {
      readMetricsValue: Long!
      readNullableMetricsValue: NullableValue!
      readMetricsValues: MetricsValues!
      readLabeledMetricsValues: [MetricsValues!]!
      execExpression: ExpressionResult!
    }
    type NullableValue { value: Long! isEmptyValue: Boolean! }
    type MetricsValues { label: String values: IntValues! }
    type IntValues { values: [KVInt!]! }
    type KVInt { id: ID! value: Long! isEmptyValue: Boolean! }
    type ExpressionResult { type: String! error: String results: [MQEValues!]! }
    type MQEValues { metric: Metadata values: [MQEValue!]! }
    type Metadata { labels: [KeyValue!]! }
    type KeyValue { key: String! value: String }
    type MQEValue { id: ID value: String }
    """
)
_LEAVES: Final[dict[str, type]] = {"Boolean": bool, "String": str, "ID": str}

Fragments = Mapping[str, FragmentDefinitionNode]


def check_mirror(read: FieldNode, fragments: Fragments, data: Mapping[str, Any]) -> None:
    """Check the answer to one read at the query's root.

    Args:
        read: The field as it is written.
        fragments: Those of the document, by name.
        data: The answer's data.

    Raises:
        ProviderError: OAP_ANSWER_INVALID, with the place.
    """
    reads = _READS.query_type
    assert reads is not None  # noqa: S101 - written above
    _check_field(read, reads, fragments, data, "")


def _check_field(
    field: FieldNode, owner: GraphQLObjectType, fragments: Fragments, answer: Mapping[str, Any], place: str
) -> None:
    name = (field.alias or field.name).value
    if name not in answer:
        if not field.directives:  # @skip and @include may leave it out
            refuse(f"{place}{name}", "missing")
        return
    if field.name.value in owner.fields:
        _check(owner.fields[field.name.value].type, field, fragments, answer[name], f"{place}{name}")


def _check(kind: GraphQLOutputType, field: FieldNode, fragments: Fragments, answer: Any, place: str) -> None:
    if answer is None:
        if is_non_null_type(kind):
            refuse(place, "null")
        return
    match get_nullable_type(kind):
        case GraphQLList(of_type=item) if isinstance(answer, list):
            for at, one in enumerate(answer):
                _check(item, field, fragments, one, f"{place}.{at}")
        case GraphQLObjectType() as owner if isinstance(answer, dict):
            for selected in _selected(field.selection_set, fragments):
                _check_field(selected, owner, fragments, answer, f"{place}.")
        case GraphQLScalarType(name="Long") if type(answer) is int and is_long(answer):
            return
        case GraphQLScalarType(name=name) if type(answer) is _LEAVES.get(name):
            return
        case _:
            refuse(place, told(answer))


def _selected(selections: SelectionSetNode | None, fragments: Fragments, depth: int = 0) -> Iterator[FieldNode]:
    """The fields of a selection, those of its fragments too, where no directive may leave a whole fragment out."""
    for one in selections.selections if selections and depth < len(fragments) + 9 else ():
        match one:
            case FieldNode():
                yield one
            case InlineFragmentNode() if not one.directives:
                yield from _selected(one.selection_set, fragments, depth + 1)
            case FragmentSpreadNode() if not one.directives and one.name.value in fragments:
                yield from _selected(fragments[one.name.value].selection_set, fragments, depth + 1)
            case _:
                continue
