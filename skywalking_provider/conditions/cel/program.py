"""A CEL expression, compiled and asked. Runs in the worker's process only.

There is one kind of runner in all of that process: cel-python keeps one parser, made for the first kind it meets.
"""

from functools import lru_cache
from typing import Any, Final

import celpy
import lark
from celpy import celtypes
from celpy.celparser import CELParseError
from celpy.evaluation import CELEvalError, CELSyntaxError, CELUnsupportedError

from skywalking_provider.conditions.cel.checks import ExpressionError, Location, check_names
from skywalking_provider.conditions.cel.functions import FUNCTIONS
from skywalking_provider.conditions.cel.interpreter import CelRunner
from skywalking_provider.conditions.cel.operators import OPERATORS
from skywalking_provider.conditions.cel.values import cel_type_name

_ENVIRONMENT: Final = celpy.Environment(runner_class=CelRunner)
# Rules of the grammar that say nothing where they have one child; every operand goes through eight of them.
_PASS_THROUGH_RULES: Final = frozenset(
    {"expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member"}
)
_MAX_MESSAGE_CHARACTERS: Final = 300


@lru_cache(maxsize=32)
def compile_expression(text: str) -> celpy.Runner:
    """Compile an expression.

    Raises:
        ExpressionError: It cannot be one.
        RecursionError: It is nested too deep.
    """
    try:
        tree = _ENVIRONMENT.compile(text)
    except CELParseError as error:
        raise ExpressionError(_parse_error(text, error)) from error
    tree = _flatten(tree)
    check_names(tree)
    return _ENVIRONMENT.program(tree, functions={**OPERATORS, **FUNCTIONS})


def evaluate(text: str, result: Any) -> bool:
    """Evaluate an expression for a result.

    Raises:
        ExpressionError: It cannot be evaluated, or is neither true nor false.
        RecursionError: It is nested too deep.
    """
    runner = compile_expression(text)
    try:
        value = runner.evaluate({"result": result})
    except CELEvalError as error:
        raise ExpressionError(Location(_describe_error(error), error.line or 0, error.column or 0)) from error
    except (CELSyntaxError, CELUnsupportedError) as error:
        raise ExpressionError(
            Location(str(error)[:_MAX_MESSAGE_CHARACTERS], error.line or 0, error.column or 0)
        ) from error
    if not isinstance(value, celtypes.BoolType):
        raise ExpressionError(Location(f"a condition is true or false, and this is {cel_type_name(value)}"))
    return bool(value)


def _flatten(tree: lark.Tree[Any]) -> lark.Tree[Any]:
    """Leave out what says nothing: a third of the time, and an eighth of the depth."""
    for node in tree.iter_subtrees():  # from the leaves up
        node.children = [_unwrap(child) if isinstance(child, lark.Tree) else child for child in node.children]
    return _unwrap(tree)


def _unwrap(node: lark.Tree[Any]) -> lark.Tree[Any]:
    while True:
        if node.data in _PASS_THROUGH_RULES and len(node.children) == 1 and isinstance(node.children[0], lark.Tree):
            node = node.children[0]
        elif node.data == "primary" and node.children[0].data in ("paren_expr", "literal"):
            node = node.children[0].children[0] if node.children[0].data == "paren_expr" else node.children[0]
        else:
            return node


def _describe_error(error: CELEvalError) -> str:
    """The sentence of our own functions, which cel-python keeps behind its "no such overload"."""
    match error.args:
        case ("overflow", *_) | (_, _, ["overflow", *_]):
            return "an integer beyond what 64 bits hold"
        case (_, _, [str(words), *_]):
            return words[:_MAX_MESSAGE_CHARACTERS]
        case (words, *_):
            return str(words)[:_MAX_MESSAGE_CHARACTERS]
        case _:
            return "the expression has no value"


def _parse_error(text: str, error: CELParseError) -> Location:
    lines = text.splitlines() or [""]
    cause = error.__context__
    if isinstance(cause, lark.UnexpectedToken) and cause.token.type == "$END":
        return Location("the expression is not finished", len(lines), len(lines[-1]) + 1)
    line, column = error.line or 1, error.column or 1
    rest = lines[line - 1][column - 1 :] if line <= len(lines) else ""
    if isinstance(cause, lark.UnexpectedToken):
        found = str(cause.token)
        hint = {"and": "; CEL writes &&", "or": "; CEL writes ||", "not": "; CEL writes !"}.get(found, "")
    else:
        found = rest[:1]
        hint = {
            "=": "; CEL writes ==",
            "&": "; CEL writes &&",
            "|": "; CEL writes ||",
            "#": "; CEL names the item: all(v, v > 0)",
            '"': "; the text has no end",
            "'": "; the text has no end",
        }.get(found, "")
    return Location(f"unexpected {found[:40]!r}{hint}", line, column)
