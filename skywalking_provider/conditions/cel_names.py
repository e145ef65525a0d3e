"""Mistakes in a CEL expression that no result can make right. Runs in the worker's process only.

cel-python finds a wrong name when it gets there, which a short-circuit may prevent for months; and a macro without its
variable breaks it from inside.
"""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import lark

from skywalking_provider.conditions.cel_evaluator import MACROS
from skywalking_provider.conditions.cel_functions import FUNCTIONS
from skywalking_provider.conditions.cel_values import TYPES

_FUNCTIONS: Final = frozenset({*FUNCTIONS, "has", "dyn"})
_METHODS: Final = frozenset({*FUNCTIONS, *MACROS})
_COMMON: Final = (
    "all, exists, exists_one, filter, map, size, contains, startsWith, endsWith, matches; double(…), has(…)"
)
# Words of expr and of other languages, with CEL's.
_INSTEAD: Final = {
    "len": "size",
    "count": "filter(v, …).size",
    "any": "exists",
    "one": "exists_one",
    "asFloat": "double",
    "float": "double",
    "asInt": "int",
    "str": "string",
}
_WORDS: Final = {"and": "&&", "or": "||", "not": "!", "nil": "null", "None": "null", "True": "true", "False": "false"}
_NEVER_BOOL: Final = {
    "addition": "a sum",
    "multiplication": "a product",
    "list_lit": "a list",
    "map_lit": "a map",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What is wrong, and where: line and column count from 1, 0 where the whole expression is meant."""

    message: str
    line: int = 0
    column: int = 0


class ExpressionError(Exception):
    """An expression cannot be evaluated."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.message)
        self.place = place


def check_names(tree: lark.Tree[Any]) -> None:
    """Look at every name and the shape of every macro.

    Args:
        tree: The parsed expression, flattened (see `cel_program`).

    Raises:
        ExpressionError: The first mistake.
    """
    top = tree.children[0] if tree.data == "primary" else tree
    what = _NEVER_BOOL.get(top.data, "")
    if top.data == "literal" and _token(top.children[0]).type != "BOOL_LIT":
        what = str(top.children[0])[:40]
    if what:
        raise ExpressionError(Place(f"a condition is true or false, and this is {what}"))
    _check(tree, frozenset({"result"}))


def _check(tree: lark.Tree[Any], names: frozenset[str]) -> None:
    match tree.data:
        case "ident" | "dot_ident":
            _name(_token(tree.children[0]), names)
        case "ident_arg":
            _function(tree)
        case "dot_ident_arg":
            raise _mistake(tree.children[0], f"write {tree.children[0]}(…) without the dot before it")
        case "member_object":
            raise _mistake(tree, "there are no message types here; a map is {'key': value}")
        case "member_dot_arg" if tree.children[1] in MACROS:
            variable, body = _macro(tree)
            _check(tree.children[0], names)
            _check(body, names | {variable})
            return
        case "member_dot_arg":
            _known(_token(tree.children[1]), _METHODS, "method")
        case _:
            pass
    for child in tree.children:
        if isinstance(child, lark.Tree):
            _check(child, names)


def _name(token: lark.Token, names: frozenset[str]) -> None:
    if token in names or token in TYPES:
        return
    if token in _WORDS:
        raise _mistake(token, f"unknown name {token!s}; CEL writes {_WORDS[token]}")
    near = get_close_matches(token, names, n=1)
    variables = (
        "result is the only variable" if names == {"result"} else f"the variables are {', '.join(sorted(names))}"
    )
    raise _mistake(token, f"unknown name {token!s}; " + (f"{near[0]} is near, and " if near else "") + variables)


def _function(tree: lark.Tree[Any]) -> None:
    name = _token(tree.children[0])
    _known(name, _FUNCTIONS, "function")
    if name not in ("has", "dyn"):
        return
    arguments = tree.children[1].children if len(tree.children) > 1 else []
    if len(arguments) != 1:
        raise _mistake(name, f"{name!s}() takes one argument, not {len(arguments)}")
    if name == "has" and arguments[0].data != "member_dot":
        raise _mistake(name, "has() asks for a field: has(result.name)")


def _macro(tree: lark.Tree[Any]) -> tuple[str, lark.Tree[Any]]:
    token = tree.children[1]
    arguments = tree.children[2].children if len(tree.children) > 2 else []
    if len(arguments) != 2 or arguments[0].data != "primary" or arguments[0].children[0].data != "ident":
        raise _mistake(token, f"{token!s}() takes a name and an expression: {token!s}(v, v.value > 0)")
    return str(arguments[0].children[0].children[0]), arguments[1]


def _known(token: lark.Token, known: Collection[str], what: str) -> None:
    if token in known:
        return
    instead = _INSTEAD.get(token) or next(iter(get_close_matches(token, known, n=1, cutoff=0.7)), "")
    if what == "function" and token in MACROS:
        instead = f"list.{token!s}(v, …)"
    hint = f"; CEL has {instead}" if instead else f"; there are {_COMMON}"
    raise _mistake(token, f"unknown {what} {token!s}{hint}")


def _token(child: object) -> lark.Token:
    """The name the grammar has in this place."""
    if not isinstance(child, lark.Token):
        raise TypeError(f"cel-python's grammar has changed: {child!r}")
    return child


def _mistake(place: Any, words: str) -> ExpressionError:
    at = place.meta if isinstance(place, lark.Tree) else place
    return ExpressionError(Place(words, at.line or 0, at.column or 0))
