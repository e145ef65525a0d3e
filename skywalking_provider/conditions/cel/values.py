"""CEL's values for results in JSON. Runs in the worker process only.

Every number of a result is a double, as in CEL's own mapping of JSON and as in expr: `errors / total` is never the
integer division of two counts. Numbers are equal by value, whatever their types (`5.0 == 5`). null is never converted:
`double(null)` is 0 in cel-python, but absent data must not be read as zero.

Functions raise TypeError, ValueError, KeyError, IndexError or ZeroDivisionError with a message. cel-python's evaluator
converts them to errors of CEL with line and column.
"""

import math
from typing import Any, Final

from celpy import celtypes

from skywalking_provider.support.counts import format_count

# CEL's names of the types, and the classes of their values.
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
INTEGER_OVERFLOW: Final = "integer overflow: the value exceeds 64 bits"
NUMBERS: Final = (celtypes.IntType, celtypes.UintType, celtypes.DoubleType)


def to_cel_value(value: object) -> Any:
    """Convert a value from `go_json.load` to CEL."""
    if isinstance(value, str):
        return celtypes.StringType(value)
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    if isinstance(value, int | float):
        return celtypes.DoubleType(value)
    if isinstance(value, list):
        return celtypes.ListType([to_cel_value(item) for item in value])
    if isinstance(value, dict):
        return celtypes.MapType({celtypes.StringType(key): to_cel_value(item) for key, item in value.items()})
    return None


def cel_type_name(value: object) -> str:
    """Return CEL's name for the type of a value; `null` for null."""
    if value is None:
        return "null"
    return next((name for name, type_ in TYPES.items() if isinstance(value, type_)), type(value).__name__)


def equal(a: Any, b: Any) -> bool:
    """Return whether two values are deeply equal. Values of different types are unequal, never an error."""
    if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
        return to_python_number(a) == to_python_number(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(has(b, key) and equal(item, look_up(b, key)) for key, item in a.items())
    return cel_type_name(a) == cel_type_name(b) and bool(a == b)


def look_up(container: Any, key: Any) -> Any:
    """Return an item of a list by its index, or of a map by its key.

    Raises:
        TypeError, IndexError, KeyError: The item does not exist.
    """
    if isinstance(container, list):
        if not isinstance(key, NUMBERS) or to_python_number(key) != math.floor(to_python_number(key)):
            raise TypeError(f"a list index is a whole number, not {_format_value(key)}")
        if not 0 <= key < len(container):
            raise IndexError(
                f"index {int(key)} is out of range: the list has {format_count(len(container), 'item')}, counted from 0"
            )
        return container[int(key)]
    if isinstance(container, dict):
        if isinstance(key, str):
            if key in container:
                return container[key]
        else:
            for name, item in container.items():
                if equal(name, key):
                    return item
        raise KeyError(f"no key {_format_value(key)} in the map")
    raise TypeError(f"{cel_type_name(container)} cannot be indexed")


def has(container: Any, key: Any) -> bool:
    """Return whether `look_up` would find an item."""
    try:
        look_up(container, key)
    except (KeyError, IndexError):
        return False
    return True


def to_python_number(number: Any) -> int | float:
    """Convert a number to Python's, which compares exactly with any other."""
    return float(number) if isinstance(number, float) else int(number)


def _format_value(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else f"{cel_type_name(value)}" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"
