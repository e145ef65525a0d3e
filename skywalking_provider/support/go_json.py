"""JSON with the rules of Go's encoding/json, for results that pass through Python.

The best way to pass on a result is its bytes. If it must be decoded, these functions keep the values that the
controller would see. Python's own decoder accepts NaN and 1e400, and decodes -0 as 0. Lone surrogates stay escapes; Go
replaces them with U+FFFD.
"""

import json
import math
from array import array
from io import BytesIO
from itertools import accumulate, islice
from json.decoder import JSONArray, JSONObject  # type: ignore[attr-defined] # not in typeshed
from json.scanner import py_make_scanner  # type: ignore[attr-defined] # not in typeshed
from typing import Final

_MAX_DEPTH: Final = 1000
"""Levels of a document. Python's own limit follows from its stack, and differs by its version."""
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_OTHER_BYTES: Final = bytes(sorted(set(range(256)) - set(b'[{]}"')))
_MAX_SHARED_KEYS: Final = 1024
_CHARACTERS_PER_VALUE: Final = 8


def load(text: bytes | str) -> object:
    """Decode one JSON document.

    Raises:
        ValueError: The text is not JSON for Go: NaN, Infinity, a number beyond float64, or nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    _check_depth(text)
    try:
        return json.loads(text, parse_constant=_reject_constant, parse_float=_parse_float, parse_int=_parse_int)
    except RecursionError:
        raise ValueError("nested too deep") from None


def load_interruptibly(text: str) -> object:
    """Decode one JSON document as `load` does, in Python's own decoder instead of that in C.

    It takes five times as long. Other threads can run between two values, while `load` is one call that they wait for.

    Raises:
        ValueError: As `load`; documents are nested too deeply from about 300 levels.
    """
    try:
        return _InterruptibleDecoder().decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _check_depth(text: str) -> None:
    """Check that a document has at most `_MAX_DEPTH` levels.

    Raises:
        ValueError: It has more.
    """
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return
    if _count_levels(text.encode("utf-8", "surrogatepass")) > _MAX_DEPTH:
        raise ValueError("nested too deep")


def _count_levels(text: bytes) -> int:
    """Return the levels of a valid document. Brackets in its texts do not count."""
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"")  # the quotes that remain begin and end texts
    outside = b"".join(unescaped.translate(None, _OTHER_BYTES).split(b'"')[::2])
    return max(accumulate(array("b", outside.translate(_STEPS))), default=0)


class _InterruptibleDecoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__(parse_constant=_reject_constant, parse_float=_parse_ascii_float, parse_int=_parse_ascii_int)
        self.parse_array = JSONArray
        self.parse_object = JSONObject
        self.memo = _BoundedMemo()
        self.scan_once = py_make_scanner(self)


class _BoundedMemo(dict[str, str]):
    """Keys that objects share. Without a bound, a document of different keys takes twice the memory."""

    def setdefault(self, key: str, default: str) -> str:
        """Return the same object for equal keys."""
        return super().setdefault(key, default) if len(self) < _MAX_SHARED_KEYS else self.get(key, default)


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


def dump_interruptibly(value: object) -> bytes:
    """Encode a result as `dump` does, in Python's own encoder: other threads can run between two values.

    Raises:
        ValueError: As `dump`.
        TypeError: As `dump`.
    """
    output = BytesIO()
    try:
        for part in json.JSONEncoder(allow_nan=False, separators=(",", ":")).iterencode(value):
            output.write(part.encode("ascii"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    return output.getvalue()


def approximate_size(value: object, at_most: int = 64 * 1024) -> int:
    """Return the number of characters of a JSON value, roughly. Counting ends at `at_most`.

    Args:
        value: The value.
        at_most: Number from which on the value is large enough for the caller.
    """
    size, values = 0, [value]
    while values and size < at_most:
        match values.pop():
            case str(text):
                size += len(text)
            case dict(fields):
                size += sum(map(len, islice(fields, at_most)))
                values += islice(fields.values(), at_most)
            case list(items) | tuple(items):
                values += islice(items, at_most)
            case _:
                pass
        size += _CHARACTERS_PER_VALUE
    return size


def _reject_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} exceeds the range of a 64-bit float")
    return number


def _parse_ascii_float(text: str) -> float:
    return _parse_float(_require_ascii(text))


def _parse_ascii_int(text: str) -> float | int:
    return _parse_int(_require_ascii(text))


def _require_ascii(text: str) -> str:
    if not text.isascii():  # Python's own decoder accepts all decimal digits of Unicode
        raise ValueError(f"{text[:40]} is not JSON")
    return text


def _parse_int(text: str) -> float | int:
    # Python's int loses the sign of -0, and rejects more than 4300 digits with a message of its own.
    if text == "-0":
        return -0.0
    if len(text) > 300:  # the largest float has 309 digits
        _parse_float(text)
    return int(text)
