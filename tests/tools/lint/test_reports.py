"""The output formats: text, JSON, SARIF and GitHub's workflow commands."""

import json
from typing import Any

import jsonschema
import pytest

from skywalking_provider.tools.lint.linter import LintReport
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.reports.github import format_github_commands
from skywalking_provider.tools.lint.reports.json_report import build_lint_json
from skywalking_provider.tools.lint.reports.sarif import build_sarif
from skywalking_provider.tools.lint.reports.text import format_findings, format_summary
from skywalking_provider.tools.lint.sources import Source
from tests.tools.lint.harness import DATA, lint, read_cases, wrap

TEXT = wrap("""\
- name: rate
  interval: 30s
  count: 3
  successCondition: result >= 99
  provider:
    plugin:
      skywalking/metrics: {sli: success-rate, window: 1m, minCalls: 100, service: reviews.bookinfo}
""")
SARIF_SCHEMA = json.loads((DATA / "sarif-schema-2.1.0.json").read_text())
"""Published by OASIS: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"""


@pytest.fixture
async def report() -> LintReport:
    return await lint(Source("shop/a b.yaml", TEXT))


def results(report: LintReport) -> list[dict[str, Any]]:
    log = build_sarif(report)
    jsonschema.validate(log, SARIF_SCHEMA)
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


def test_text_has_place_message_line_and_hint(report: LintReport) -> None:
    lines = [line.plain for line in format_findings(report, 120)]

    assert lines[6:12] == [
        "✖ shop/a b.yaml:15:23  error  condition-cannot-pass  AnalysisTemplate t, metric rate",
        "  no result passes: `result >= 99` on a number from 0 to 1 is Failed",
        "  15 │     successCondition: result >= 99",
        "     │                       ^^^^^^^^^^^^",
        "  → Compare with a number between 0 and 1, such as 0.99 for 99 %",
        "",
    ]
    assert format_summary(report).plain == "1 error, 1 warning in 1 file, 1 template, 1 metric of SkyWalking"


@pytest.mark.parametrize(
    ("width", "shown", "mark"),
    [
        (120, "  15 │     successCondition: result >= 99 && result >= 98 && result >= 97 && result >= 96", 23 + 6),
        (60, "  15 │     successCondition: result >= 99 && result >= 98 &…", 23 + 6),
        (10, "  15 │     successCondition: result >= 99 && r…", 23 + 6),
    ],
)
async def test_long_line_is_cut_behind_the_place(width: int, shown: str, mark: int) -> None:
    text = TEXT.replace("result >= 99", " && ".join(f"result >= {n}" for n in (99, 98, 97, 96)))
    lines = [line.plain for line in format_findings(await lint(Source("a.yaml", text)), width)]

    assert lines[8] == shown
    assert lines[9].index("^") == mark
    assert len(lines[9]) <= len(shown)


async def test_long_line_is_cut_before_the_place() -> None:
    text = TEXT.replace("{sli", f"{{layer: {'A' * 200}, windw: 5m, sli")
    lines = [line.plain for line in format_findings(await lint(Source("a.yaml", text)), 60)]
    (at,) = (at for at, line in enumerate(lines) if "windw: 5m" in line)

    assert lines[at].startswith("  18 │ …AAAA")
    assert lines[at + 1].index("^^^^^") == lines[at].index("windw")


async def test_summary_without_findings_has_the_numbers() -> None:
    report = await lint(Source("a.yaml", "a: b"), Source("b.yaml", "a: b"))

    assert format_summary(report).plain == "no findings in 2 files, 0 templates, 0 metrics of SkyWalking"


async def test_line_with_a_secret_is_in_no_format() -> None:
    secrets = [case for case in read_cases() if case.rule == Rule.BLOCK_SECRET]
    for case in secrets:
        report = await lint(Source("t.yaml", case.text))
        written = [*(line.plain for line in format_findings(report, 120)), *format_github_commands(report)]
        written += [json.dumps(build_lint_json(report)), json.dumps(build_sarif(report))]

        assert report.findings
        assert not any(secret in text for text in written for secret in ("hunter2", "a-secret-of", "admin:secret"))


def test_json_has_every_field_of_a_finding(report: LintReport) -> None:
    content = build_lint_json(report)

    assert content["summary"]["findings"] == 2
    assert content["findings"][1] == {
        "id": "condition-cannot-pass",
        "severity": "error",
        "file": "shop/a b.yaml",
        "line": 15,
        "column": 23,
        "subject": "AnalysisTemplate t, metric rate",
        "source": "",
        "message": "no result passes: `result >= 99` on a number from 0 to 1 is Failed",
        "hint": "Compare with a number between 0 and 1, such as 0.99 for 99 %",
    }


def test_sarif_is_valid_and_has_the_place(report: LintReport) -> None:
    location = results(report)[1]["locations"][0]["physicalLocation"]

    assert location == {
        "artifactLocation": {"uri": "shop/a%20b.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 15, "startColumn": 23, "endColumn": 35},
    }


async def test_sarif_of_every_rule_is_valid() -> None:
    sources = [Source(f"{case.rule}.yaml", case.text) for case in read_cases()]
    report = await lint(*sources, Source("/tmp/ä.yaml", TEXT))  # noqa: S108 - a name
    found = results(report)

    # Templates of one name belong to no Rollout. The others need files or a configuration.
    elsewhere = {Rule.ROLLOUT_ARGUMENT, Rule.ROLLOUT_ENDLESS, Rule.FILE_UNREADABLE, Rule.FILE_TOO_LARGE}
    assert {one["ruleId"] for one in found} >= {one.value for one in Rule} - elsewhere - {
        Rule.BLOCK_BACKEND,
        Rule.OAP_VERSION,
    }
    assert found[-1]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///tmp/%C3%A4.yaml"}


async def test_sarif_without_a_finding_has_all_rules() -> None:
    log = build_sarif(await lint(Source("a.yaml", "a: b")))
    jsonschema.validate(log, SARIF_SCHEMA)

    assert log["runs"][0]["results"] == []
    assert len(log["runs"][0]["tool"]["driver"]["rules"]) == len(Rule)


async def test_workflow_command_escapes_what_has_a_meaning_there() -> None:
    report = await lint(Source("a,b:c.yaml", TEXT))

    assert list(format_github_commands(report))[1] == (
        "::error file=a%2Cb%3Ac.yaml,line=15,col=23,title=condition-cannot-pass AnalysisTemplate t%2C metric rate::"
        "no result passes: `result >= 99` on a number from 0 to 1 is Failed. "
        "Compare with a number between 0 and 1, such as 0.99 for 99 %25."
    )
