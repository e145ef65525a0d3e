"""What was found: in order, worth knowing, a problem with its remedy, or not looked at. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

OK, PROBLEM, USAGE, UNREACHABLE = range(4)
"""Exit codes."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"
    UNREACHABLE = "unreachable"
    """A problem that stands before all others of the same backend."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: How bad it is.
        message: One line.
        hint: What to do about it; empty where there is nothing to do.
    """

    level: Level
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """What was looked at together.

    Attributes:
        area: configuration, service, backend or bridge.
        subject: Which one, such as a name, a path or an address.
        findings: In the order in which they were looked at.
    """

    area: str
    subject: str
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The worst of its findings."""
        return max((one.level for one in self.findings), key=list(Level).index, default=Level.OK)

    def redacted(self, redact: Callable[[str], str]) -> "Section":
        """The same without credentials."""
        findings = (replace(one, message=redact(one.message), hint=redact(one.hint)) for one in self.findings)
        return replace(self, subject=redact(self.subject), findings=tuple(findings))


def ok(message: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, message)


def note(message: str, hint: str = "") -> Finding:
    """It may be meant so."""
    return Finding(Level.NOTE, message, hint)


def problem(message: str, hint: str) -> Finding:
    """It does not work so."""
    return Finding(Level.PROBLEM, message, hint)


def unreachable(message: str, hint: str) -> Finding:
    """There is no backend to look at."""
    return Finding(Level.UNREACHABLE, message, hint)


def doctor_exit_code(sections: Iterable[Section]) -> int:
    """The exit code: a backend that cannot be reached goes before other problems, and notes are none."""
    levels = {section.level for section in sections}
    if Level.UNREACHABLE in levels:
        return UNREACHABLE
    return PROBLEM if Level.PROBLEM in levels else OK
