"""The tokens of an expression, read one at a time, with ANTLR's words for what is none."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class MqeSyntaxError(Exception):
    """A malformed expression; the message is the parser's: `line 1:15 missing ')' at '<EOF>'`."""


class Kind(StrEnum):
    """What a token is. The value is how ANTLR names it among what it expected."""

    EOF = "<EOF>"
    WORD = "NAME_STRING"
    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    TEXT = "VALUE_STRING"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the expression; `column` counts from 0."""

    kind: Kind
    text: str
    line: int
    column: int

    def error(self, message: str) -> MqeSyntaxError:
        """An error at this place."""
        return MqeSyntaxError(f"line {self.line}:{self.column} {message}")


_SPACE: Final = re.compile(r"[ \t\r\n]*")
_TEXT: Final = re.compile(r"""'.*?'|".*?\"""", re.DOTALL)
_DECIMAL: Final = re.compile(r"[0-9]+\.[0-9]+")
_WORD: Final = re.compile(r"[a-zA-Z0-9_]+")
_SIGN: Final = re.compile(r"==|!=|<=|>=|[<>=+\-*/%.,()\[\]{}]")


class Lexer:
    """Reads tokens lazily: what comes after a complete expression is never looked at, as in OAP."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def next(self) -> Token:
        """The next token; MqeSyntaxError if there is none to be made."""
        start = self._position + len((_SPACE.match(self._text, self._position) or [""])[0])
        before = self._text[:start]
        line, column = before.count("\n") + 1, start - (before.rfind("\n") + 1)
        if start >= len(self._text):
            return Token(Kind.EOF, "<EOF>", line, column)
        for pattern, kind in ((_TEXT, Kind.TEXT), (_DECIMAL, Kind.DECIMAL), (_WORD, Kind.WORD), (_SIGN, Kind.SIGN)):
            if found := pattern.match(self._text, start):
                self._position = found.end()
                digits = kind is Kind.WORD and found[0].isdigit()
                return Token(Kind.INTEGER if digits else kind, found[0], line, column)
        # A quote that is never closed swallows the rest before the lexer gives up.
        bad = self._text[start:] if self._text[start] in "'\"" else self._text[start]
        raise MqeSyntaxError(f"line {line}:{column} token recognition error at: '{bad}'")
