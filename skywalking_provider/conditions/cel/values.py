"""CEL's values, as people expect them of numbers that came as JSON. Runs in the worker's process only.

Every number of a result is a double, as in CEL's own mapping of JSON and as in expr: `errors / total` is never the
integer division of two counts. Numbers are equal by what they are, whatever their types (`5.0 == 5`). Nothing is made
of null: cel-python's `double(null)` is 0, and absent data must not be read as zero.

Functions here raise TypeError, ValueError, KeyError, IndexError or ZeroDivisionError with a sentence; cel-python's
evaluator turns them into errors of CEL that know their place.
"""

import math
from typing import Any, Final

from celpy import celtypes

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
NUMBERS: Final = (celtypes.IntType, celtypes.UintType, celtypes.DoubleType)


def to_cel_value(value: object) -> Any:
    """Make CEL's value of what `jsontext.load` gives."""
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
    """CEL's word for the type of a value; `null` for null."""
    if value is None:
        return "null"
    return next((name for name, type_ in TYPES.items() if isinstance(value, type_)), type(value).__name__)


def equal(a: Any, b: Any) -> bool:
    """Whether two values are the same, in depth. Values of different kinds are not; no comparison is an error."""
    if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
        return to_python_number(a) == to_python_number(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(has(b, key) and equal(item, look_up(b, key)) for key, item in a.items())
    return cel_type_name(a) == cel_type_name(b) and bool(a == b)


def look_up(container: Any, key: Any) -> Any:
    """An item of a list by a whole number, of a map by its key.

    Raises:
        TypeError, IndexError, KeyError: With a sentence.
    """
    if isinstance(container, list):
        if not isinstance(key, NUMBERS) or to_python_number(key) != math.floor(to_python_number(key)):
            raise TypeError(f"a list is indexed by a whole number, not by {_format_value(key)}")
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
        raise KeyError(f"no key {_format_value(key)} in the map")
    raise TypeError(f"nothing to index in a {cel_type_name(container)}")


def has(container: Any, key: Any) -> bool:
    """Whether `look_up` would find something."""
    try:
        look_up(container, key)
    except (KeyError, IndexError):
        return False
    return True


def to_python_number(number: Any) -> int | float:
    """Python's own number, which compares exactly with any other."""
    return float(number) if isinstance(number, float) else int(number)


def _format_value(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else f"{cel_type_name(value)}" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"
