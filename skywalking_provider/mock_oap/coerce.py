"""Variables against their declared types, refused in graphql-java's words."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_location,
    type_from_ast,
)

from skywalking_provider.mock_oap.graphql_errors import Json, build_error


class CoercionError(Exception):
    """A variable whose value does not fit; `answer` is the GraphQL error."""

    def __init__(self, answer: Json) -> None:
        super().__init__(answer["message"])
        self.answer = answer


class _WrongError(Exception):
    pass


def check_variables(schema: GraphQLSchema, operation: OperationDefinitionNode, values: Mapping[str, Any]) -> None:
    """Check all variables of an operation; CoercionError on the first that does not fit."""
    for declared in operation.variable_definitions or ():
        name = declared.variable.name.value
        kind = type_from_ast(schema, declared.type)
        if name not in values and declared.default_value is not None:
            continue
        try:
            _check(f"Variable '{name}'", kind, values.get(name))  # type: ignore[arg-type]
        except _WrongError as wrong:
            at = declared.loc and get_location(declared.loc.source, declared.loc.start)
            where = (at.line, at.column) if at else None
            message = f"Variable '{name}' has an invalid value: {wrong}"
            raise CoercionError(build_error(message, "ValidationError", where)) from wrong


def _check(place: str, kind: GraphQLInputType, value: Any) -> None:
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            raise _WrongError(f"{place} has coerced Null value for NonNull type '{kind}'")
        _check(place, kind.of_type, value)
    elif value is None:
        return
    elif isinstance(kind, GraphQLList):
        for item in value if isinstance(value, list) else [value]:
            _check(place, kind.of_type, item)
    elif isinstance(kind, GraphQLEnumType):
        if value not in kind.values:
            raise _WrongError(f"Invalid input for enum '{kind.name}'. No value found for name '{value}'")
    elif isinstance(kind, GraphQLInputObjectType):
        _check_object(kind, value)
    elif isinstance(kind, GraphQLScalarType):
        _check_scalar(kind, value)


def _check_object(kind: GraphQLInputObjectType, value: Any) -> None:
    if not isinstance(value, dict):
        raise _WrongError(f"Expected type 'Map' but was '{_java(value)}'. Variables for input objects must be maps.")
    for name in value:
        if name not in kind.fields:
            # graphql-java gives this error no place.
            message = (
                f"The variables input contains a field name '{name}' "
                f"that is not defined for input object type '{kind.name}' "
            )
            raise CoercionError(build_error(message, "ValidationError"))
    for name, field in kind.fields.items():
        _check(f"Field '{name}'", field.type, value.get(name))


_ACCEPTED = {"String": (str,), "ID": (str, int), "Boolean": (bool,), "Int": (int,), "Float": (int, float)}


def _check_scalar(kind: GraphQLScalarType, value: Any) -> None:
    accepted = _ACCEPTED.get(kind.name)
    wrong_bool = isinstance(value, bool) and kind.name != "Boolean"
    if accepted and (wrong_bool or not isinstance(value, accepted)):
        raise _WrongError(f"Expected a {kind.name} input, but it was a '{_java(value)}'")


def _java(value: Any) -> str:
    names = {bool: "Boolean", int: "Integer", float: "Double", str: "String", list: "ArrayList", dict: "LinkedHashMap"}
    return names.get(type(value), type(value).__name__)
