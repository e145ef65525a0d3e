"""Findings of `lint`, with their places. No I/O."""

from dataclasses import dataclass
from typing import NamedTuple

from skywalking_provider.tools.lint.registry import Rule, Severity


class Place(NamedTuple):
    """Place in a text. Line and column count from 1, as editors count characters."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding before its file and object are known.

    Attributes:
        rule: The rule.
        message: The problem, in one line without a full stop.
        hint: Next step in the imperative.
        path: Keys and positions from the document's root to the place.
        at_key: Whether the place is the last key of the path instead of its value.
        place: Place in the text, instead of a path; None for the path's.
        width: Number of characters at that place; 0 for the rest of the line.
    """

    rule: Rule
    message: str
    hint: str
    path: tuple[str | int, ...] = ()
    at_key: bool = False
    place: Place | None = None
    width: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of a file.

    Attributes:
        rule: The rule.
        file: Name of the file, or `stdin`.
        place: Place in the file.
        message: The problem, in one line without a full stop.
        hint: Next step in the imperative.
        subject: Object and metric; empty for the file as a whole.
        source: File of a Helm chart that the object was rendered from; empty if it is unknown.
        end_column: Column behind the place in its line; 0 for the end of the line.
    """

    rule: Rule
    file: str
    place: Place
    message: str
    hint: str
    subject: str = ""
    source: str = ""
    end_column: int = 0

    @property
    def severity(self) -> Severity:
        """Severity of the rule."""
        return self.rule.severity

    @property
    def text(self) -> str:
        """Message and hint in one line."""
        if not self.hint:
            return f"{self.message}."
        return f"{self.message}. {self.hint}{'' if self.hint.endswith(('?', '.')) else '.'}"


def split_hint(text: str) -> tuple[str, str]:
    """Split a message of another module into the problem and the hint, which follows a full stop or semicolon."""
    for separator in (". ", "; "):
        message, found, hint = text.partition(separator)
        if found and hint[:1].isalpha():
            return message, _drop_full_stop(f"{hint[0].upper()}{hint[1:]}")
    return _drop_full_stop(text), ""


def _drop_full_stop(text: str) -> str:
    return text if text.endswith("...") else text.removesuffix(".")
