"""CEL's values, as people expect them of numbers that came as JSON. Runs in the worker's process only.

Every number of a result is a double, as in CEL's own mapping of JSON and as in expr: `errors / total` is never the
integer division of two counts. Numbers compare by what they are, whatever their types (`5.0 == 5`); where the types of
two numbers differ, arithmetic is that of doubles. Nothing is made of null: cel-python's `double(null)` is 0, and absent
data must not be read as zero. Division of doubles is IEEE's: 0/0 is no number and fulfils no comparison, where
cel-python says infinity, which is more than any threshold.

Functions here raise TypeError, ValueError, KeyError, IndexError or ZeroDivisionError with a sentence; cel-python's
evaluator turns them into errors of CEL that know their place.
"""

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from celpy import celtypes
from celpy.evaluation import CELEvalError

# What CEL calls the types, and what stands for them here.
TYPES: Final[dict[str, type]] = {
    "null_type": type(None),
    "bool": celtypes.BoolType,
    "int": celtypes.IntType,
    "uint": celtypes.UintType,
    "double": celtypes.DoubleType,
    "string": celtypes.StringType,
    "bytes": celtypes.BytesType,
    "list": celtypes.ListType,
    "map": celtypes.MapType,
    "timestamp": celtypes.TimestampType,
    "duration": celtypes.DurationType,
    "type": type,
}
_NUMBERS: Final = (celtypes.IntType, celtypes.UintType, celtypes.DoubleType)
_ORDERED: Final = frozenset({"bool", "string", "bytes", "timestamp", "duration"})
_TIME_SUMS: Final = frozenset({("timestamp", "duration"), ("duration", "timestamp"), ("duration", "duration")})
_TIME_DIFFERENCES: Final = frozenset({("timestamp", "duration"), ("timestamp", "timestamp"), ("duration", "duration")})


def from_json(value: object) -> Any:
    """Make CEL's value of what `jsontext.load` gives."""
    if isinstance(value, str):
        return celtypes.StringType(value)
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    if isinstance(value, int | float):
        return celtypes.DoubleType(value)
    if isinstance(value, list):
        return celtypes.ListType([from_json(item) for item in value])
    if isinstance(value, dict):
        return celtypes.MapType({celtypes.StringType(key): from_json(item) for key, item in value.items()})
    return None


def kind(value: object) -> str:
    """CEL's word for the type of a value; `null` for null."""
    if value is None:
        return "null"
    return next((name for name, type_ in TYPES.items() if isinstance(value, type_)), type(value).__name__)


def equal(a: Any, b: Any) -> bool:
    """Whether two values are the same, in depth. Values of different kinds are not; no comparison is an error."""
    if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
        return _plain(a) == _plain(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(_has(b, key) and equal(item, look_up(b, key)) for key, item in a.items())
    return kind(a) == kind(b) and bool(a == b)


def look_up(container: Any, key: Any) -> Any:
    """An item of a list by a whole number, of a map by its key.

    Raises:
        TypeError, IndexError, KeyError: With a sentence.
    """
    if isinstance(container, list):
        if not isinstance(key, _NUMBERS) or _plain(key) != math.floor(_plain(key)):
            raise TypeError(f"a list is indexed by a whole number, not by {_shown(key)}")
        if not 0 <= key < len(container):
            raise IndexError(f"no item {int(key)} in a list of {len(container)} (the first is 0)")
        return container[int(key)]
    if isinstance(container, dict):
        if isinstance(key, str):
            if key in container:
                return container[key]
        else:
            for name, item in container.items():
                if equal(name, key):
                    return item
        raise KeyError(f"no key {_shown(key)} in the map")
    raise TypeError(f"nothing to index in a {kind(container)}")


def _has(container: Any, key: Any) -> bool:
    try:
        look_up(container, key)
    except (KeyError, IndexError):
        return False
    return True


def _plain(number: Any) -> int | float:
    """Python's own number, which compares exactly with any other."""
    return float(number) if isinstance(number, float) else int(number)


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else f"{kind(value)}" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _operator(function: Callable[..., Any]) -> Callable[..., Any]:
    """An error among the operands is the answer, as everywhere in CEL."""

    def operate(*operands: Any) -> Any:
        for operand in operands:
            if isinstance(operand, CELEvalError):
                return operand
        return function(*operands)

    return operate


def _no_such(symbol: str, a: Any, b: Any) -> TypeError:
    kinds = {kind(a), kind(b)}
    hint = ""
    if "null" in kinds:
        hint = "; has(…) or != null asks first whether there is a value"
    elif "string" in kinds and kinds & {"int", "uint", "double"}:
        hint = "; double(…) makes a number of a string"
    elif symbol == "%":
        hint = "; the numbers of a result are doubles: int(…) makes an integer"
    return TypeError(f"there is no {kind(a)} {symbol} {kind(b)}{hint}")


def _ordering(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], celtypes.BoolType]:
    def ordering(a: Any, b: Any) -> celtypes.BoolType:
        if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
            return celtypes.BoolType(compare(_plain(a), _plain(b)))
        if kind(a) == kind(b) and kind(a) in _ORDERED:
            return celtypes.BoolType(compare(a, b))
        raise _no_such(symbol, a, b)

    return ordering


def _calculate(compute: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Compute with two numbers: among equals their own arithmetic, with its overflow; else that of doubles."""
    if isinstance(a, float) or isinstance(b, float):
        return celtypes.DoubleType(compute(float(a), float(b)))
    both = celtypes.UintType if isinstance(a, celtypes.UintType) and isinstance(b, celtypes.UintType) else None
    return (both or celtypes.IntType)(compute(int(a), int(b)))


def _add(a: Any, b: Any) -> Any:
    if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
        return _calculate(operator.add, a, b)
    match kind(a), kind(b):
        case "string", "string":
            return celtypes.StringType(str(a) + str(b))
        case "bytes", "bytes":
            return celtypes.BytesType(bytes(a) + bytes(b))
        case "list", "list":
            return celtypes.ListType([*a, *b])
        case kinds if kinds in _TIME_SUMS:
            return a + b
    raise _no_such("+", a, b)


def _subtract(a: Any, b: Any) -> Any:
    if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
        return _calculate(operator.sub, a, b)
    if (kind(a), kind(b)) in _TIME_DIFFERENCES:
        return a - b
    raise _no_such("-", a, b)


def _multiply(a: Any, b: Any) -> Any:
    if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
        return _calculate(operator.mul, a, b)
    raise _no_such("*", a, b)


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
        return _calculate(_quotient, a, b)
    raise _no_such("/", a, b)


def _quotient(a: Any, b: Any) -> Any:
    if isinstance(a, float):
        if b:
            return a / b
        return math.nan if not a or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    if not b:
        raise ZeroDivisionError("an integer is divided by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: Any, b: Any) -> Any:
    if not isinstance(a, _NUMBERS) or not isinstance(b, _NUMBERS) or isinstance(a, float) or isinstance(b, float):
        raise _no_such("%", a, b)
    if not b:
        raise ZeroDivisionError("an integer is divided by zero")
    return _calculate(lambda x, y: abs(x) % abs(y) * (-1 if x < 0 else 1), a, b)


def _negate(a: Any) -> Any:
    if isinstance(a, celtypes.IntType | celtypes.DoubleType):
        return type(a)(-_plain(a))
    raise TypeError(f"there is no -{kind(a)}")


def _not(a: Any) -> celtypes.BoolType:
    if isinstance(a, celtypes.BoolType):
        return celtypes.BoolType(not a)
    raise TypeError(f"! takes true or false, not a {kind(a)}")


def _in(item: Any, container: Any) -> celtypes.BoolType:
    if isinstance(container, dict):
        return celtypes.BoolType(_has(container, item))
    if isinstance(container, list):
        return celtypes.BoolType(any(equal(item, other) for other in container))
    hint = "; a part of a string is found with contains()" if isinstance(container, str) else ""
    raise TypeError(f"in looks into a list or a map, not into a {kind(container)}{hint}")


_PLAIN_OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    "_==_": lambda a, b: celtypes.BoolType(equal(a, b)),
    "_!=_": lambda a, b: celtypes.BoolType(not equal(a, b)),
    "_<_": _ordering("<", operator.lt),
    "_<=_": _ordering("<=", operator.le),
    "_>_": _ordering(">", operator.gt),
    "_>=_": _ordering(">=", operator.ge),
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
OPERATORS: Final = {name: _operator(function) for name, function in _PLAIN_OPERATORS.items()}
