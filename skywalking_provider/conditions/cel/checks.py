"""Checks of a CEL expression that need no result. Runs in the worker process only.

cel-python reports an unknown name only when it evaluates it, which short-circuiting may prevent for months. A macro
without its variable raises an internal error of cel-python.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import lark

from skywalking_provider.conditions.cel.functions import FUNCTIONS
from skywalking_provider.conditions.cel.interpreter import MACROS
from skywalking_provider.conditions.cel.values import TYPES
from skywalking_provider.support.suggestions import did_you_mean

_FUNCTIONS: Final = frozenset({*FUNCTIONS, "has", "dyn"})
_METHODS: Final = frozenset({*FUNCTIONS, *MACROS})
# Names in expr and in other languages, with CEL's equivalents.
_FUNCTION_REPLACEMENTS: Final = {
    "len": "size",
    "count": "filter(v, …).size",
    "any": "exists",
    "one": "exists_one",
    "asFloat": "double",
    "float": "double",
    "asInt": "int",
    "str": "string",
}
_KEYWORD_REPLACEMENTS: Final = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "nil": "null",
    "None": "null",
    "True": "true",
    "False": "false",
}
_NON_BOOLEAN_RULES: Final = {
    "addition": "a sum",
    "multiplication": "a product",
    "list_lit": "a list",
    "map_lit": "a map",
}


@dataclass(frozen=True, slots=True)
class Location:
    """An error message and its place: line and column count from 1; 0 stands for the whole expression."""

    message: str
    line: int = 0
    column: int = 0


class ExpressionError(Exception):
    """An expression that cannot be evaluated."""

    def __init__(self, location: Location) -> None:
        super().__init__(location.message)
        self.location = location


def check_names(tree: lark.Tree[Any]) -> None:
    """Check every name and the arguments of every macro.

    Args:
        tree: Parsed expression, flattened by `program.compile_expression`.

    Raises:
        ExpressionError: The first error.
    """
    top = tree.children[0] if tree.data == "primary" else tree
    value = _NON_BOOLEAN_RULES.get(top.data, "")
    if top.data == "literal" and _require_token(top.children[0]).type != "BOOL_LIT":
        value = str(top.children[0])[:40]
    if value:
        raise ExpressionError(Location(f"the condition is {value}, not true or false"))
    _check(tree, frozenset({"result"}))


def _check(tree: lark.Tree[Any], names: frozenset[str]) -> None:
    match tree.data:
        case "ident" | "dot_ident":
            _check_name(_require_token(tree.children[0]), names)
        case "ident_arg":
            _check_function(tree)
        case "dot_ident_arg":
            raise _build_error(tree.children[0], f"dot before a function. Write {tree.children[0]}(…).")
        case "member_object":
            raise _build_error(tree, "message types are not supported. Write a map as {'key': value}.")
        case "member_dot_arg" if tree.children[1] in MACROS:
            variable, body = _parse_macro(tree)
            _check(tree.children[0], names)
            _check(body, names | {variable})
            return
        case "member_dot_arg":
            _require_known(_require_token(tree.children[1]), _METHODS, "method")
        case _:
            pass
    for child in tree.children:
        if isinstance(child, lark.Tree):
            _check(child, names)


def _check_name(token: lark.Token, names: frozenset[str]) -> None:
    if token in names or token in TYPES:
        return
    if token in _KEYWORD_REPLACEMENTS:
        raise _build_error(token, f"unknown name {token!s}. Write {_KEYWORD_REPLACEMENTS[token]}.")
    raise _build_error(token, f"unknown name {token!s}. {did_you_mean(token, names, 'variables')}")


def _check_function(tree: lark.Tree[Any]) -> None:
    name = _require_token(tree.children[0])
    _require_known(name, _FUNCTIONS, "function")
    if name not in ("has", "dyn"):
        return
    arguments = tree.children[1].children if len(tree.children) > 1 else []
    if len(arguments) != 1:
        raise _build_error(name, f"{name!s}() takes one argument, not {len(arguments)}")
    if name == "has" and arguments[0].data != "member_dot":
        raise _build_error(name, "has() takes a field: has(result.name)")


def _parse_macro(tree: lark.Tree[Any]) -> tuple[str, lark.Tree[Any]]:
    token = tree.children[1]
    arguments = tree.children[2].children if len(tree.children) > 2 else []
    if len(arguments) != 2 or arguments[0].data != "primary" or arguments[0].children[0].data != "ident":
        raise _build_error(token, f"{token!s}() takes a name and an expression: {token!s}(v, v.value > 0)")
    return str(arguments[0].children[0].children[0]), arguments[1]


def _require_known(token: lark.Token, known: Collection[str], role: str) -> None:
    if token in known:
        return
    instead = _FUNCTION_REPLACEMENTS.get(token)
    if role == "function" and token in MACROS:
        instead = f"list.{token!s}(v, …)"
    hint = f". Use {instead}." if instead else f". {did_you_mean(token, known, f'{role}s')}"
    raise _build_error(token, f"unknown {role} {token!s}{hint}")


def _require_token(child: object) -> lark.Token:
    """Return a child as the token that the grammar has in this place."""
    if not isinstance(child, lark.Token):
        raise TypeError(f"cel-python's grammar has changed: {child!r}")
    return child


def _build_error(node: Any, message: str) -> ExpressionError:
    at = node.meta if isinstance(node, lark.Tree) else node
    return ExpressionError(Location(message, at.line or 0, at.column or 0))
