"""Findings of the checks, and the exit code. No I/O."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

OK, PROBLEM, USAGE, UNREACHABLE = range(4)
"""Exit codes."""


class Level(StrEnum):
    """Severity of a finding, in ascending order."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"
    UNREACHABLE = "unreachable"
    """A backend that does not respond, or not as an OAP."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check.

    Attributes:
        level: Severity.
        message: One line.
        hint: What to do next; empty if there is nothing to do.
    """

    level: Level
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Findings about one subject.

    Attributes:
        area: One of configuration, service, backend, bridge.
        subject: Name, path or address of what was checked.
        findings: Findings in the order of the checks.
    """

    area: str
    subject: str
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The highest severity of its findings."""
        return max((one.level for one in self.findings), key=list(Level).index, default=Level.OK)

    def redacted(self, redact: Callable[[str], str]) -> "Section":
        """Return the section with credentials redacted."""
        findings = (replace(one, message=redact(one.message), hint=redact(one.hint)) for one in self.findings)
        return replace(self, subject=redact(self.subject), findings=tuple(findings))


def ok(message: str) -> Finding:
    """Build a finding without a problem."""
    return Finding(Level.OK, message)


def note(message: str, hint: str = "") -> Finding:
    """Build a finding that may be intended."""
    return Finding(Level.NOTE, message, hint)


def problem(message: str, hint: str) -> Finding:
    """Build a finding about something that does not work."""
    return Finding(Level.PROBLEM, message, hint)


def unreachable(message: str, hint: str) -> Finding:
    """Build a finding about a backend that does not respond as an OAP."""
    return Finding(Level.UNREACHABLE, message, hint)


def doctor_exit_code(sections: Iterable[Section]) -> int:
    """Return the exit code: 3 if a backend is unreachable, else 1 if there is a problem, else 0."""
    levels = {section.level for section in sections}
    if Level.UNREACHABLE in levels:
        return UNREACHABLE
    return PROBLEM if Level.PROBLEM in levels else OK
