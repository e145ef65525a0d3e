"""docs/lint.md has every rule, and each of its examples has exactly the finding of its section."""

import re

import pytest
import yaml

from skywalking_provider.tools.lint.registry import Rule
from tests.tools.lint.harness import ROOT, lint_text, wrap

PAGE = (ROOT / "docs" / "lint.md").read_text()
SECTION = re.compile(r"^#### (\S+)\n\n(.*?)(?=^###|\Z)", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```yml\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall(PAGE))
WITHOUT_EXAMPLE = {Rule.FILE_UNREADABLE, Rule.FILE_TOO_LARGE}


def test_every_rule_has_a_section() -> None:
    assert SECTIONS.keys() == {rule.value for rule in Rule}


@pytest.mark.parametrize("rule", Rule)
def test_section_begins_with_severity_and_summary(rule: Rule) -> None:
    assert SECTIONS[rule].startswith(f"{rule.severity.value.capitalize()}. {rule.summary} ")


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule not in WITHOUT_EXAMPLE])
async def test_example_has_the_finding_of_its_section(rule: Rule) -> None:
    (example,) = EXAMPLE.findall(SECTIONS[rule])
    report = await lint_text(wrap(example), rule=rule)

    assert [one.rule for one in report.findings] == [rule]


async def test_example_of_an_accepted_finding_is_accepted() -> None:
    example = next(text for text in EXAMPLE.findall(PAGE) if "ignore=" in text)
    text = wrap(
        f"{example}  provider: {{plugin: {{skywalking/metrics: {{sli: throughput, window: 1m, service: a}}}}}}\n"
    )
    report = await lint_text(text.replace("  - name: rate\n", "  - name: rate\n    successCondition: result > 1\n"))

    assert (report.findings, report.accepted) == ([], 1)


def test_hook_calls_the_command_on_yaml_files() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())

    assert (hook["id"], hook["entry"], hook["types"]) == ("skywalking-lint", "skywalking-provider lint", ["yaml"])
    assert f"id: {hook['id']}" in PAGE
    assert re.search(hook["exclude"], "charts/shop/templates/analysis.yaml")
