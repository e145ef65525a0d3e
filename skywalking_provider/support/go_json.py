"""JSON as Go's encoding/json reads it, for results that pass through Python.

A result is best handed on as the bytes that came. Where it has to be taken apart, these two keep what the controller
would see: Python's own reader takes NaN and 1e400, and makes 0 of -0. (Lone surrogates survive as escapes; Go makes
U+FFFD of them.)
"""

import json
import math


def load(text: bytes | str) -> object:
    """Read one JSON document.

    Raises:
        ValueError: It is none, or Go would not read it: NaN, Infinity, a number beyond float64, nested too deep.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=_reject_constant, parse_float=_parse_float, parse_int=_parse_int)
    except RecursionError:
        raise ValueError("nested too deep") from None


def dump(value: object) -> bytes:
    """Write a result for `Conditions.evaluate`: every number with all its digits.

    Raises:
        ValueError: It holds NaN or an infinity, or is nested too deep.
        TypeError: It holds what JSON has no word for.
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
        raise ValueError(f"the number {text[:40]} is beyond what a 64-bit float holds")
    return number


def _parse_int(text: str) -> float | int:
    # Python's int would lose the sign of -0, and refuses more than 4300 digits in words of its own.
    if text == "-0":
        return -0.0
    if len(text) > 300:  # the largest float has 309 digits
        _parse_float(text)
    return int(text)
