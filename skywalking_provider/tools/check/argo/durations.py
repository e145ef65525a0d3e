"""Go's `time.ParseDuration`, for its errors: which texts Argo rejects as a duration, and with which message."""

import re
from typing import Final

_UNIT_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LIMIT: Final = 1 << 63  # nanoseconds; reached by a negative duration only
_MAX_DIGITS: Final = len(str(_LIMIT))  # Python converts no text of more than 4,300 digits
_PART: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^.0-9]*)")


def find_duration_error(text: str) -> str:
    """Return the error of `time.ParseDuration`; empty if Go accepts the text."""
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return ""
    invalid = f"time: invalid duration {_quote(text)}"
    nanoseconds = 0
    if not rest:
        return invalid
    while rest:
        match = _PART.match(rest)
        whole, fraction, unit = match.groups("") if match else ("", "", "")
        if not whole + fraction or len(whole.lstrip("0")) > _MAX_DIGITS or int(whole.lstrip("0") or "0") > _LIMIT:
            return invalid
        if not unit:
            return f"time: missing unit in duration {_quote(text)}"
        if unit not in _UNIT_NANOSECONDS:
            return f"time: unknown unit {_quote(unit)} in duration {_quote(text)}"
        size = _UNIT_NANOSECONDS[unit]
        nanoseconds += int(whole.lstrip("0") or "0") * size + int(fraction[:18].ljust(18, "0")) * size // 10**18
        if nanoseconds > _LIMIT:
            return invalid
        rest = rest[match.end() :] if match else ""
    return invalid if nanoseconds == _LIMIT and text[0] != "-" else ""


def _quote(text: str) -> str:
    """Quote a text as Go's package `time` does in its errors."""
    parts = (
        f"\\{character}" if character in '"\\' else character if " " <= character < "\x80" else _hexadecimal(character)
        for character in text
    )
    return f'"{"".join(parts)}"'


def _hexadecimal(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
