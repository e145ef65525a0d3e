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
    GraphQLEnumType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    InlineFragmentNode,
    NameNode,
    SelectionSetNode,
    get_nullable_type,
    is_non_null_type,
)

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.responses import describe_json, is_long, raise_invalid_response
from skywalking_provider.schema import SINCE_9_5, load_schema

_REQUIRED: Final = frozenset({("MetricsValues", "values")})
"""Fields that the schema declares nullable and OAP always sets."""
_MAX_FIELDS: Final = 3000  # OAP's own limit of complexity
_MAX_SELECTIONS: Final = 20_000  # on the way to them: fragments in fragments, and again
_SCALAR_TYPES: Final[dict[str, type]] = {"Boolean": bool, "String": str, "ID": str, "Long": int}


@dataclass(frozen=True, slots=True)
class ScalarShape:
    """A scalar."""

    type: type
    nullable: bool


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list."""

    item: "Shape"
    nullable: bool


@dataclass(frozen=True, slots=True)
class ObjectShape:
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


Shape = ScalarShape | ListShape | ObjectShape


def check_shape(field: Field, data: Mapping[str, Any]) -> None:
    """Check the answer to one read at the query's root.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID, with the place.
    """
    _check_field(field, data, "")


class ShapeBuilder:
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

    def build(self, read: FieldNode) -> Field:
        """What an answer to a read at the query's root must look like.

        Raises:
            ProviderError: QUERY_INVALID, where the reads together select more than any OAP takes.
        """
        reads = load_schema(SINCE_9_5).query_type
        assert reads is not None  # noqa: S101 - the SDL defines it
        return self._build_field(read, reads)

    def _build_field(self, field: FieldNode, owner: GraphQLObjectType) -> Field:
        self.fields += 1
        if self.fields > _MAX_FIELDS:
            raise _too_large_error(_MAX_FIELDS, "fields")
        known = owner.fields.get(field.name.value)
        required = (owner.name, field.name.value) in _REQUIRED
        shape = self._build_shape(known.type, field, required=required) if known else None
        return Field((field.alias or field.name).value, bool(field.directives), shape)

    def _build_shape(self, kind: GraphQLOutputType, field: FieldNode, *, required: bool = False) -> Shape:
        nullable = not (required or is_non_null_type(kind))
        match get_nullable_type(kind):
            case GraphQLList(of_type=item):
                return ListShape(self._build_shape(item, field), nullable)
            case GraphQLObjectType() as owner:
                return ObjectShape(self._build_fields(field.selection_set, owner), nullable)
            case GraphQLScalarType(name=name):
                return ScalarShape(_SCALAR_TYPES[name], nullable)
            case GraphQLEnumType():
                return ScalarShape(str, nullable)
            case other:
                raise AssertionError(f"{other} is not a type of the schema")

    def _build_fields(self, selections: SelectionSetNode | None, owner: GraphQLObjectType) -> tuple[Field, ...]:
        return tuple(self._build_field(one, owner) for one in self._selected_fields(selections, set()))

    def _selected_fields(self, selections: SelectionSetNode | None, seen: set[str]) -> Iterator[FieldNode]:
        """The fields of a selection, those of its fragments too, where no directive may leave a whole fragment out."""
        for one in selections.selections if selections else ():
            self._selections += 1
            if self._selections > _MAX_SELECTIONS:
                raise _too_large_error(_MAX_SELECTIONS, "selections")
            match one:
                case FieldNode():
                    yield one
                case InlineFragmentNode() if not one.directives:
                    yield from self._selected_fields(one.selection_set, seen)
                case FragmentSpreadNode(name=NameNode(value=name)) if not one.directives and name not in seen:
                    seen.add(name)
                    if name in self._fragments:
                        yield from self._selected_fields(self._fragments[name].selection_set, seen)
                case _:
                    continue


def _too_large_error(limit: int, unit: str) -> ProviderError:
    """A small document can spread its fragments to any number."""
    return ProviderError(
        Reason.QUERY_INVALID,
        f"query: it selects more than {limit} {unit}, its fragments spread",
        "ask for less; OAP takes no more in one query",
    )


def _check_field(field: Field, response: Mapping[str, Any], path: str) -> None:
    if field.name not in response:
        if not field.optional:
            raise_invalid_response(f"{path}{field.name}", "missing")
    elif field.shape is not None:
        _check_value(field.shape, response[field.name], f"{path}{field.name}")


def _check_value(shape: Shape, response: Any, path: str) -> None:
    if response is None:
        if not shape.nullable:
            raise_invalid_response(path, "null")
        return
    match shape:
        case ListShape(item=item) if isinstance(response, list):
            for at, one in enumerate(response):
                _check_value(item, one, f"{path}.{at}")
        case ObjectShape(fields=fields) if isinstance(response, dict):
            for field in fields:
                _check_field(field, response, f"{path}.")
        case ScalarShape(type=kind) if type(response) is kind and (not isinstance(response, int) or is_long(response)):
            return
        case _:
            raise_invalid_response(path, describe_json(response))
