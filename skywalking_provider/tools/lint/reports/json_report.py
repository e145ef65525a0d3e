"""Findings as JSON for programs. The names of the fields are stable. No I/O."""

from typing import Any

from skywalking_provider import __version__
from skywalking_provider.tools.lint.linter import LintReport


def build_lint_json(report: LintReport) -> dict[str, Any]:
    """Build the JSON report."""
    return {
        "version": __version__,
        "summary": {
            "files": report.files,
            "templates": report.templates,
            "metrics": report.metrics,
            "findings": len(report.findings),
            "accepted": report.accepted,
            "skipped": report.skipped,
        },
        "findings": [
            {
                "id": one.rule.value,
                "severity": one.severity.value,
                "file": one.file,
                "line": one.place.line,
                "column": one.place.column,
                "subject": one.subject,
                "source": one.source,
                "message": one.message,
                "hint": one.hint,
            }
            for one in report.findings
        ],
    }
