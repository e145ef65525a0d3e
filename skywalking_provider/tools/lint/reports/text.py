"""Findings as text for people: place, message, the line of the file, and the next step. No I/O."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.lint.findings import Finding
from skywalking_provider.tools.lint.linter import LintReport
from skywalking_provider.tools.lint.registry import Rule, Severity

_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_ICONS: Final = {Severity.ERROR: "✖", Severity.WARNING: "•"}
_HIDDEN: Final = frozenset({Rule.BLOCK_SECRET})
"""Rules whose line is not shown, because it may hold a secret."""
_MIN_WIDTH: Final = 40
"""Columns of a file's line at least, however narrow the terminal is."""


def format_findings(report: LintReport, width: int) -> Iterator[Text]:
    """Yield the lines of all findings, each with an empty line behind it.

    Args:
        report: The report.
        width: Columns for the lines of files. Messages may be longer.
    """
    for finding in report.findings:
        yield from _format_finding(finding, report.lines.get(finding.file, []), width)
        yield Text()


def format_summary(report: LintReport) -> Text:
    """Return the line with the numbers."""
    severities = [one.severity for one in report.findings]
    counts = [
        format_count(severities.count(severity), severity.value)
        for severity in reversed(Severity)
        if severity in severities
    ]
    worst = next((one for one in reversed(Severity) if one in severities), None)
    text = Text().append(", ".join(counts) or "no findings", _STYLES[worst] if worst else "green")
    read = ", ".join(
        (
            format_count(report.files, "file"),
            format_count(report.templates, "template"),
            format_count(report.metrics, "metric of SkyWalking", "metrics of SkyWalking"),
        )
    )
    text.append(f" in {read}", "dim")
    if report.accepted:
        text.append(f"; {format_count(report.accepted, 'finding')} accepted by comments", "dim")
    return text


def format_skipped(report: LintReport) -> Iterator[Text]:
    """Yield a line for each folder of Helm templates."""
    for name in report.skipped:
        yield Text(
            f"- {name}: skipped, Helm templates must be rendered: helm template … | skywalking-provider lint -", "dim"
        )


def _format_finding(finding: Finding, lines: Sequence[str], width: int) -> Iterator[Text]:
    style = _STYLES[finding.severity]
    place = finding.place
    yield (
        Text()
        .append(f"{_ICONS[finding.severity]} ", style)
        .append(f"{finding.file}:{place.line}:{place.column}", "bold")
        .append(f"  {finding.severity.value}", style)
        .append(f"  {finding.rule.value}", "cyan")
        .append(f"  {finding.subject}" if finding.subject else "", "dim")
        .append(f"  from {finding.source}" if finding.source else "", "dim")
    )
    yield Text(f"  {finding.message}")
    if finding.rule not in _HIDDEN and place.line <= len(lines):
        yield from _format_line(lines[place.line - 1], finding, width, style)
    if finding.hint:
        yield Text().append("  → ", "dim").append(finding.hint)


def _format_line(line: str, finding: Finding, width: int, style: str) -> Iterator[Text]:
    """Yield the line with a mark below the place. A long line is cut around the place."""
    line = line.replace("\t", " ").rstrip()
    at = finding.place.column - 1
    if not line or at > len(line):
        return
    margin = f"  {finding.place.line} │ "
    room = max(width - len(margin), _MIN_WIDTH)
    marked = max(min((finding.end_column or len(line) + 1) - 1, len(line)) - at, 1)
    first = max(0, min(at - room // 3, len(line) - room)) if at >= room * 2 // 3 else 0
    shown = line[first : first + room]
    if first:
        shown = f"…{shown[1:]}"
    if first + room < len(line):
        shown = f"{shown[:-1]}…"
    yield Text().append(margin, "dim").append(shown)
    mark = "^" * min(marked, len(shown) - (at - first)) or "^"
    yield Text().append(f"{' ' * (len(margin) - 2)}│ ", "dim").append(f"{' ' * (at - first)}{mark}", style)
