"""Whether the answer to an author's own read is one: it mirrors what he selected, under whatever names. Pure.

What he selected is kept as far as an answer is held to it: a tree of GraphQL takes many times as much.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    NameNode,
    SelectionSetNode,
    build_schema,
    get_nullable_type,
    is_non_null_type,
)

from skywalking_provider.answers import is_long, refuse, told
from skywalking_provider.errors import ProviderError, Reason

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
_MOST_FIELDS: Final = 3000  # OAP's own limit of complexity
_MOST_SELECTIONS: Final = 20_000  # on the way to them: fragments in fragments, and again
_LEAVES: Final[dict[str, type]] = {"Boolean": bool, "String": str, "ID": str, "Long": int}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar."""

    type: type
    nullable: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A list."""

    of: "Shape"
    nullable: bool


@dataclass(frozen=True, slots=True)
class Selected:
    """An object with the fields that are held to something."""

    fields: tuple["Field", ...]
    nullable: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its response name.

    Attributes:
        name: As it is answered.
        optional: Whether a directive may leave it out.
        shape: Its value; None where that may be anything.
    """

    name: str
    optional: bool
    shape: "Shape | None"


Shape = Leaf | Listed | Selected


def check_mirror(read: Field, data: Mapping[str, Any]) -> None:
    """Check the answer to one read at the query's root.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID, with the place.
    """
    _check_field(read, data, "")


class Mirrors:
    """What the answers to the reads of one query must look like.

    Attributes:
        fields: How many fields the reads select so far, all fragments spread.

    Args:
        fragments: Those of the document, by name.
    """

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self.fields = 0
        self._selections = 0

    def of(self, read: FieldNode) -> Field:
        """What an answer to a read at the query's root must look like.

        Raises:
            ProviderError: QUERY_INVALID, where the reads together select more than any OAP takes.
        """
        reads = _READS.query_type
        assert reads is not None  # noqa: S101 - written above
        return self._field(read, reads)

    def _field(self, field: FieldNode, owner: GraphQLObjectType) -> Field:
        self.fields += 1
        if self.fields > _MOST_FIELDS:
            raise _too_much(_MOST_FIELDS, "fields")
        known = owner.fields.get(field.name.value)
        shape = self._shape(known.type, field) if known else None
        return Field((field.alias or field.name).value, bool(field.directives), shape)

    def _shape(self, kind: GraphQLOutputType, field: FieldNode) -> Shape:
        nullable = not is_non_null_type(kind)
        match get_nullable_type(kind):
            case GraphQLList(of_type=item):
                return Listed(self._shape(item, field), nullable)
            case GraphQLObjectType() as owner:
                return Selected(self._fields(field.selection_set, owner), nullable)
            case GraphQLScalarType(name=name):
                return Leaf(_LEAVES[name], nullable)
            case other:
                raise AssertionError(f"{other} is not written above")

    def _fields(self, selections: SelectionSetNode | None, owner: GraphQLObjectType) -> tuple[Field, ...]:
        return tuple(self._field(one, owner) for one in self._selected(selections, set()))

    def _selected(self, selections: SelectionSetNode | None, seen: set[str]) -> Iterator[FieldNode]:
        """The fields of a selection, those of its fragments too, where no directive may leave a whole fragment out."""
        for one in selections.selections if selections else ():
            self._selections += 1
            if self._selections > _MOST_SELECTIONS:
                raise _too_much(_MOST_SELECTIONS, "selections")
            match one:
                case FieldNode():
                    yield one
                case InlineFragmentNode() if not one.directives:
                    yield from self._selected(one.selection_set, seen)
                case FragmentSpreadNode(name=NameNode(value=name)) if not one.directives and name not in seen:
                    seen.add(name)
                    if name in self._fragments:
                        yield from self._selected(self._fragments[name].selection_set, seen)
                case _:
                    continue


def _too_much(most: int, what: str) -> ProviderError:
    """A small document can spread its fragments to any number."""
    return ProviderError(
        Reason.QUERY_INVALID,
        f"query: it selects more than {most} {what}, its fragments spread",
        "ask for less; OAP takes no more in one query",
    )


def _check_field(field: Field, answer: Mapping[str, Any], place: str) -> None:
    if field.name not in answer:
        if not field.optional:
            refuse(f"{place}{field.name}", "missing")
    elif field.shape is not None:
        _check(field.shape, answer[field.name], f"{place}{field.name}")


def _check(shape: Shape, answer: Any, place: str) -> None:
    if answer is None:
        if not shape.nullable:
            refuse(place, "null")
        return
    match shape:
        case Listed(of=item) if isinstance(answer, list):
            for at, one in enumerate(answer):
                _check(item, one, f"{place}.{at}")
        case Selected(fields=fields) if isinstance(answer, dict):
            for field in fields:
                _check_field(field, answer, f"{place}.")
        case Leaf(type=kind) if type(answer) is kind and (not isinstance(answer, int) or is_long(answer)):
            return
        case _:
            refuse(place, told(answer))
