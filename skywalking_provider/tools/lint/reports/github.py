"""Findings as workflow commands of GitHub Actions, which annotate the lines of a pull request. No I/O."""

from collections.abc import Iterator

from skywalking_provider.tools.lint.findings import Finding
from skywalking_provider.tools.lint.linter import LintReport


def format_github_commands(report: LintReport) -> Iterator[str]:
    """Yield a command for each finding."""
    return map(_format_command, report.findings)


def _format_command(finding: Finding) -> str:
    properties = {
        "file": finding.file,
        "line": str(finding.place.line),
        "col": str(finding.place.column),
        "title": f"{finding.rule.value} {finding.subject}".strip(),
    }
    written = ",".join(f"{key}={_escape_property(value)}" for key, value in properties.items())
    return f"::{finding.severity.value} {written}::{_escape(finding.text)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
