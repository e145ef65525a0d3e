"""CEL's operators. Runs in the worker process only.

Numbers compare by value, whatever their types. Arithmetic on numbers of different types uses doubles. Division of
doubles follows IEEE 754: 0/0 is NaN, for which <, <=, >, >= and == are false. In cel-python it is infinity, which is
above any threshold. Errors are raised as in `values`.
"""

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from celpy import celtypes
from celpy.evaluation import CELEvalError

from skywalking_provider.conditions.cel.values import (
    INTEGER_OVERFLOW,
    NUMBERS,
    cel_type_name,
    equal,
    has,
    look_up,
    to_python_number,
)

_ORDERED_KINDS: Final = frozenset({"bool", "string", "bytes", "timestamp", "duration"})
_TIME_SUMS: Final = frozenset({("timestamp", "duration"), ("duration", "timestamp"), ("duration", "duration")})
_TIME_DIFFERENCES: Final = frozenset({("timestamp", "duration"), ("timestamp", "timestamp"), ("duration", "duration")})


def _propagate_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operator that returns the first error among its operands, as CEL requires."""

    def operate(*operands: Any) -> Any:
        for operand in operands:
            if isinstance(operand, CELEvalError):
                return operand
        return function(*operands)

    return operate


def _no_overload_error(symbol: str, a: Any, b: Any) -> TypeError:
    kinds = {cel_type_name(a), cel_type_name(b)}
    hint = ""
    if "null" in kinds:
        hint = ". Check for a value with has(…) or != null first."
    elif "string" in kinds and kinds & {"int", "uint", "double"}:
        hint = ". Convert the string with double(…)."
    elif symbol == "%":
        hint = ". Numbers of a result are doubles; convert them with int(…)."
    return TypeError(f"{symbol} cannot be applied to {cel_type_name(a)} and {cel_type_name(b)}{hint}")


def _build_ordering(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], celtypes.BoolType]:
    def ordering(a: Any, b: Any) -> celtypes.BoolType:
        if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
            return celtypes.BoolType(compare(to_python_number(a), to_python_number(b)))
        if cel_type_name(a) == cel_type_name(b) and cel_type_name(a) in _ORDERED_KINDS:
            return celtypes.BoolType(compare(a, b))
        raise _no_overload_error(symbol, a, b)

    return ordering


def _calculate(compute: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Compute with two numbers: integers with overflow check if both are integers, else doubles."""
    if isinstance(a, float) or isinstance(b, float):
        return celtypes.DoubleType(compute(float(a), float(b)))
    unsigned = isinstance(a, celtypes.UintType) and isinstance(b, celtypes.UintType)
    return _to_integer(compute(int(a), int(b)), unsigned=unsigned)


def _to_integer(number: int, *, unsigned: bool = False) -> Any:
    smallest, largest = (0, 2**64 - 1) if unsigned else (-(2**63), 2**63 - 1)
    if not smallest <= number <= largest:
        raise ValueError(INTEGER_OVERFLOW)
    return celtypes.UintType(number) if unsigned else celtypes.IntType(number)


def _add(a: Any, b: Any) -> Any:
    if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
        return _calculate(operator.add, a, b)
    match cel_type_name(a), cel_type_name(b):
        case "string", "string":
            return celtypes.StringType(str(a) + str(b))
        case "bytes", "bytes":
            return celtypes.BytesType(bytes(a) + bytes(b))
        case "list", "list":
            return celtypes.ListType([*a, *b])
        case kinds if kinds in _TIME_SUMS:
            return a + b
    raise _no_overload_error("+", a, b)


def _subtract(a: Any, b: Any) -> Any:
    if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
        return _calculate(operator.sub, a, b)
    if (cel_type_name(a), cel_type_name(b)) in _TIME_DIFFERENCES:
        return a - b
    raise _no_overload_error("-", a, b)


def _multiply(a: Any, b: Any) -> Any:
    if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
        return _calculate(operator.mul, a, b)
    raise _no_overload_error("*", a, b)


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
        return _calculate(_quotient, a, b)
    raise _no_overload_error("/", a, b)


def _quotient(a: Any, b: Any) -> Any:
    if isinstance(a, float):
        if b:
            return a / b
        return math.nan if not a or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    if not b:
        raise ZeroDivisionError("integer division by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: Any, b: Any) -> Any:
    if not isinstance(a, NUMBERS) or not isinstance(b, NUMBERS) or isinstance(a, float) or isinstance(b, float):
        raise _no_overload_error("%", a, b)
    if not b:
        raise ZeroDivisionError("integer division by zero")
    return _calculate(lambda x, y: abs(x) % abs(y) * (-1 if x < 0 else 1), a, b)


def _negate(a: Any) -> Any:
    if isinstance(a, celtypes.DoubleType):
        return celtypes.DoubleType(-float(a))
    if isinstance(a, celtypes.IntType):
        return _to_integer(-int(a))
    raise TypeError(f"- cannot be applied to {cel_type_name(a)}")


def _not(a: Any) -> celtypes.BoolType:
    if isinstance(a, celtypes.BoolType):
        return celtypes.BoolType(not a)
    raise TypeError(f"! needs true or false, not {cel_type_name(a)}")


def _in(item: Any, container: Any) -> celtypes.BoolType:
    if isinstance(container, dict):
        return celtypes.BoolType(has(container, item))
    if isinstance(container, list):
        return celtypes.BoolType(any(equal(item, other) for other in container))
    hint = ". Use contains() for strings." if isinstance(container, str) else ""
    raise TypeError(f"in needs a list or a map, not {cel_type_name(container)}{hint}")


_PLAIN_OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    "_==_": lambda a, b: celtypes.BoolType(equal(a, b)),
    "_!=_": lambda a, b: celtypes.BoolType(not equal(a, b)),
    "_<_": _build_ordering("<", operator.lt),
    "_<=_": _build_ordering("<=", operator.le),
    "_>_": _build_ordering(">", operator.gt),
    "_>=_": _build_ordering(">=", operator.ge),
    "_in_": _in,
    "_+_": _add,
    "_-_": _subtract,
    "_*_": _multiply,
    "_/_": _divide,
    "_%_": _remainder,
    "-_": _negate,
    "!_": _not,
    "_[_]": look_up,
}
OPERATORS: Final = {name: _propagate_errors(function) for name, function in _PLAIN_OPERATORS.items()}
