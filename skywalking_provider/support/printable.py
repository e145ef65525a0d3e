"""Printable form of texts that other programs and people wrote, for every exit to a terminal, a log or a page. Pure.

Characters without a glyph can change what a reader sees: control characters and the escape sequences of terminals,
changes of the writing direction (U+202A to U+202E, U+2066 to U+2069), characters without a width, and the line and
paragraph separators. Python's `str.isprintable` is false for all of them.
"""

import unicodedata
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LAYOUT = "\n\t"


def replace_unprintable(text: str) -> str:
    """Replace unprintable characters but line feeds and tabs. The text keeps its length."""
    if text.isprintable():
        return text
    return "".join(one if one in _LAYOUT else _replace(one) for one in text)


def printable_line(text: str) -> str:
    """Replace unprintable characters, and line feeds and tabs, too. The text keeps its length."""
    return text if text.isprintable() else "".join(map(_replace, text))


def printable_values(value: Any) -> Any:
    """Apply `printable_line` to every text of a value, keys included."""
    match value:
        case str():
            return printable_line(value)
        case dict():
            return {printable_values(key): printable_values(one) for key, one in value.items()}
        case list() | tuple():
            return [printable_values(one) for one in value]
    return value


def escape_unprintable_json(text: str) -> str:
    """Return the same JSON with unprintable characters written as escapes. Line feeds between its tokens stay."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _replace(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else REPLACEMENT  # a space of another width


def _escape(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    utf16 = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{utf16[at : at + 2].hex()}" for at in range(0, len(utf16), 2))
