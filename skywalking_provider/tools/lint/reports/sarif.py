"""Findings as SARIF 2.1.0, for code scanning. No I/O."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from skywalking_provider import __version__
from skywalking_provider.tools.lint.findings import Finding
from skywalking_provider.tools.lint.linter import LintReport
from skywalking_provider.tools.lint.registry import Rule

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT: Final = "%SRCROOT%"


def build_sarif(report: LintReport) -> dict[str, Any]:
    """Build the SARIF log with one run. It has every rule, so that a viewer can list those without a finding."""
    rules = list(Rule)
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "skywalking-provider lint",
                        "version": __version__,
                        "rules": [_build_rule(rule) for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {_ROOT: {"description": {"text": "The folder in which lint was called."}}},
                "results": [_build_result(one, rules) for one in report.findings],
            }
        ],
    }


def _build_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.value,
        "name": "".join(part.capitalize() for part in rule.value.split("-")),
        "shortDescription": {"text": rule.summary},
        "help": {"text": f"{rule.summary} docs/lint.md has an example of {rule.value}."},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _build_result(finding: Finding, rules: list[Rule]) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _build_artifact(finding.file),
            "region": _build_region(finding),
        }
    }
    if finding.subject:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.subject}]
    return {
        "ruleId": finding.rule.value,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.severity.value,
        "message": {"text": finding.text},
        "locations": [location],
    }


def _build_region(finding: Finding) -> dict[str, int]:
    region = {"startLine": finding.place.line, "startColumn": finding.place.column}
    return region | {"endColumn": finding.end_column} if finding.end_column else region


def _build_artifact(file: str) -> dict[str, str]:
    path = Path(file)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": _ROOT}
