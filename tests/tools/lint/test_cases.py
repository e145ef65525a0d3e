"""Every rule finds its mistake in each of its wrong templates, and no other rule finds anything there."""

import asyncio
import os
from collections import Counter

import pytest

from skywalking_provider.config import Config
from skywalking_provider.tools.lint.findings import Finding
from skywalking_provider.tools.lint.linter import Linter
from skywalking_provider.tools.lint.prober import Prober
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.rules.backends import open_configured
from skywalking_provider.tools.lint.sources import Source
from tests.tools.lint.harness import CONFIG, DATA, Case, context_of, lint_text, read_cases, read_right_templates, wrap

CASES = list(read_cases())
OF_FILES = {Rule.FILE_UNREADABLE, Rule.FILE_TOO_LARGE}  # test_inputs.py
GOLDEN = DATA / "findings.txt"


async def lint_cases() -> dict[Case, list[Finding]]:
    """Lint each case alone, with evaluators that are started once."""
    async with Prober() as prober, open_configured(Config.model_validate(CONFIG).backends) as backends:
        return {
            case: (await Linter(prober, context_of(case.rule, backends)).lint([Source("t.yaml", case.text)])).findings
            for case in CASES
        }


@pytest.fixture(scope="module")
def findings() -> dict[Case, list[Finding]]:
    return asyncio.run(lint_cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.name}")
def test_wrong_template_has_the_finding_of_its_rule_only(case: Case, findings: dict[Case, list[Finding]]) -> None:
    assert {one.rule.value for one in findings[case]} == {case.rule}


@pytest.mark.parametrize("name", read_right_templates())
async def test_right_template_has_no_finding(name: str) -> None:
    report = await lint_text(read_right_templates()[name])

    assert [(one.rule, one.message) for one in report.findings] == []


def test_every_rule_has_three_wrong_templates() -> None:
    counts = Counter(case.rule for case in CASES)

    assert {rule.value for rule in Rule} - OF_FILES == counts.keys()
    assert min(counts.values()) >= 3


def test_findings_have_the_recorded_places_and_messages(findings: dict[Case, list[Finding]]) -> None:
    lines = []
    for case, found in findings.items():
        lines.append(f"{case.rule}: {case.name}")
        for one in found:
            written = [*case.text.splitlines(), ""][one.place.line - 1][one.place.column - 1 :]
            lines += [f"  {one.place.line}:{one.place.column} {one.message}", f"    {one.hint}"]
            lines.append(f"    ^ {written}".rstrip())
    text = "\n".join(lines) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)

    assert text == GOLDEN.read_text()


UNKNOWN_KEY = """\
- name: rate
  interval: 30s
  count: 3
  successCondition: result >= 99
  provider:
    plugin:
      skywalking/metrics: {sli: success-rate, window: 1m, minCalls: 100, service: "{{args.service}}", windw: 5m}
"""


async def test_unknown_key_of_a_block_does_not_hide_other_mistakes() -> None:
    report = await lint_text(wrap(UNKNOWN_KEY))

    assert [one.rule for one in report.findings] == [
        Rule.INTERVAL_SHORT,
        Rule.CONDITION_CANNOT_PASS,
        Rule.BLOCK_INVALID,
    ]
