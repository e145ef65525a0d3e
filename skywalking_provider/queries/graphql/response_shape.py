"""Expected shapes of the responses to the author's reads, and the check of responses against them.

A shape holds only what the check needs. The syntax tree of the query takes many times the memory.
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
from skywalking_provider.oap.api.response_parser import describe_json, is_long, raise_invalid_response
from skywalking_provider.schema import SINCE_9_5, load_schema

_REQUIRED: Final = frozenset({("MetricsValues", "values")})
"""Fields that the schema declares nullable and OAP always sets."""
_MAX_FIELDS: Final = 3000  # OAP's default maxQueryComplexity
_MAX_SELECTIONS: Final = 20_000  # visited ones, fragments in fragments included
_SCALAR_TYPES: Final[dict[str, type]] = {"Boolean": bool, "String": str, "ID": str, "Long": int}


@dataclass(frozen=True, slots=True)
class ScalarShape:
    """Shape of a scalar."""

    type: type
    nullable: bool


@dataclass(frozen=True, slots=True)
class ListShape:
    """Shape of a list."""

    item: "Shape"
    nullable: bool


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """Shape of an object: its selected fields."""

    fields: tuple["Field", ...]
    nullable: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A selected field.

    Attributes:
        name: Name in the response.
        optional: Whether a directive may exclude the field.
        shape: Shape of the value; None if any value is allowed.
    """

    name: str
    optional: bool
    shape: "Shape | None"


Shape = ScalarShape | ListShape | ObjectShape


def check_shape(field: Field, data: Mapping[str, Any]) -> None:
    """Check the response to one read at the query's root.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID, with the path of the field.
    """
    _check_field(field, data, "")


class ShapeBuilder:
    """Builder of the shapes of one query's reads. It counts the fields, because fragments can expand without bound.

    Attributes:
        fields: Number of fields that the reads select so far, fragments expanded.

    Args:
        fragments: Fragments of the document by name.
    """

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self.fields = 0
        self._selections = 0

    def build(self, read: FieldNode) -> Field:
        """Build the shape of the response to a read at the query's root.

        Raises:
            ProviderError: QUERY_INVALID, if the reads together exceed OAP's limit of fields.
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
        """Yield the fields of a selection and of those fragments that no directive may exclude."""
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
    """Return the error for a query whose expanded fragments exceed a limit."""
    return ProviderError(
        Reason.QUERY_INVALID,
        f"query: selects more than {limit} {unit} with its fragments expanded",
        "select less; OAP rejects larger queries",
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
