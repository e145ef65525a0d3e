"""JSON with the rules of Go's encoding/json, for results that pass through Python.

The best way to pass on a result is its bytes. If it must be decoded, these functions keep the values that the
controller would see. Python's own decoder accepts NaN and 1e400, and decodes -0 as 0. Lone surrogates stay escapes; Go
replaces them with U+FFFD.
"""

import json
import math


def load(text: bytes | str) -> object:
    """Decode one JSON document.

    Raises:
        ValueError: The text is not JSON for Go: NaN, Infinity, a number beyond float64, or nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=_reject_constant, parse_float=_parse_float, parse_int=_parse_int)
    except RecursionError:
        raise ValueError("nested too deep") from None


def dump(value: object) -> bytes:
    """Encode a result for `ConditionLanguage.evaluate`, with all digits of each number.

    Raises:
        ValueError: The value contains NaN or an infinity, or is nested too deeply.
        TypeError: The value contains a type that JSON does not have.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise ValueError("nested too deep") from None


def _reject_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} exceeds the range of a 64-bit float")
    return number


def _parse_int(text: str) -> float | int:
    # Python's int loses the sign of -0, and rejects more than 4300 digits with a message of its own.
    if text == "-0":
        return -0.0
    if len(text) > 300:  # the largest float has 309 digits
        _parse_float(text)
    return int(text)
