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
_MAX_WIDTH: Final = 160


def format_findings(report: LintReport) -> Iterator[Text]:
    """Yield the lines of all findings, each with an empty line behind it."""
    for finding in report.findings:
        yield from _format_finding(finding, report.lines.get(finding.file, []))
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
    text = Text(", ".join(counts) or "no findings", _STYLES[worst] if worst else "green")
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


def _format_finding(finding: Finding, lines: Sequence[str]) -> Iterator[Text]:
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
        yield from _format_line(lines[place.line - 1], place.line, place.column, style)
    if finding.hint:
        yield Text().append("  → ", "dim").append(finding.hint)


def _format_line(line: str, number: int, column: int, style: str) -> Iterator[Text]:
    line = line.replace("\t", " ")
    if not line.strip() or len(line) > _MAX_WIDTH:
        return
    margin = f"  {number} │ "
    yield Text().append(margin, "dim").append(line)
    width = max(len(line.rstrip()) - column + 1, 1)
    yield Text().append(f"{' ' * (len(margin) - 2)}│ ", "dim").append(f"{' ' * (column - 1)}{'^' * width}", style)
