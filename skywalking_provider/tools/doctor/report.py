"""Report of the findings as text and as JSON. No I/O."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from skywalking_provider import __version__
from skywalking_provider.tools.doctor.findings import Level, Section, doctor_exit_code

_ICONS = {Level.OK: "✔", Level.NOTE: "•", Level.PROBLEM: "✖", Level.UNREACHABLE: "✖"}
_STYLES = {Level.OK: "green", Level.NOTE: "yellow", Level.PROBLEM: "red", Level.UNREACHABLE: "red"}


def format_sections(sections: Sequence[Section]) -> Iterator[Text]:
    """Format the sections as a tree of findings and hints, and a summary."""
    for section in sections:
        head = Text().append(_ICONS[section.level], _STYLES[section.level])
        yield head.append(" ").append(section.area, "bold").append(f" {section.subject}", "dim")
        for at, finding in enumerate(section.findings):
            last = at == len(section.findings) - 1
            line = Text().append("└─ " if last else "├─ ", "dim").append(_ICONS[finding.level], _STYLES[finding.level])
            yield line.append(f" {finding.message}")
            if finding.hint:
                yield Text().append("   " if last else "│  ", "dim").append("  → ").append(finding.hint)
        yield Text()
    yield _summary(sections)


def build_doctor_json(sections: Sequence[Section]) -> dict[str, Any]:
    """Build the JSON report. Its field names are stable."""
    return {
        "version": __version__,
        "exitCode": doctor_exit_code(sections),
        "sections": [
            {
                "area": section.area,
                "subject": section.subject,
                "level": section.level.value,
                "findings": [
                    {"level": one.level.value, "message": one.message, "hint": one.hint} for one in section.findings
                ],
            }
            for section in sections
        ],
    }


def _summary(sections: Sequence[Section]) -> Text:
    levels = [one.level for section in sections for one in section.findings]
    problems = sum(level in (Level.PROBLEM, Level.UNREACHABLE) for level in levels)
    parts = [_format_count(problems, "problem"), _format_count(levels.count(Level.NOTE), "note")]
    text = ", ".join(part for part in parts if part) or "no problems"
    return Text(text, "red" if problems else "green")


def _format_count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}" if count else ""
