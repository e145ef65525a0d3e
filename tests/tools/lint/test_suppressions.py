"""Comments that accept findings: what they cover, and what they do not."""

import pytest

from skywalking_provider.tools.lint.registry import Rule
from tests.tools.lint.harness import lint_text, wrap

METRIC = """\
- name: rate
  interval: 30s
  count: 3
  failureLimit: 3
  successCondition: result >= 0.95
  provider:
    plugin:
      skywalking/metrics: {sli: success-rate, window: 1m, minCalls: 100, service: reviews.bookinfo}
"""
SHORT, LIMIT, UNUSED, INVALID = (
    Rule.INTERVAL_SHORT,
    Rule.LIMIT_UNREACHABLE,
    Rule.SUPPRESSION_UNUSED,
    Rule.SUPPRESSION_INVALID,
)


async def lint_with(old: str, new: str, text: str = METRIC) -> tuple[list[Rule], int]:
    assert old in text
    report = await lint_text(wrap(text.replace(old, new, 1)))
    return [one.rule for one in report.findings], report.accepted


async def test_metric_without_comments_has_both_findings() -> None:
    assert await lint_with("rate", "rate") == ([SHORT, LIMIT], 0)


async def test_comment_behind_a_value_covers_its_line() -> None:
    comment = "  # skywalking-lint: ignore=interval-short the OAP has other buckets"

    assert await lint_with("30s", f"30s{comment}") == ([LIMIT], 1)
    assert await lint_with("count: 3", f"count: 3{comment}") == ([SHORT, UNUSED, LIMIT], 0)


async def test_comment_on_its_own_line_covers_a_metric() -> None:
    comment = "# skywalking-lint: ignore=interval-short,limit-unreachable a test"

    assert await lint_with("- name", f"{comment}\n- name") == ([], 2)


async def test_comment_on_its_own_line_does_not_cover_the_next_metric() -> None:
    second = METRIC.replace("rate", "other", 1)
    comment = "# skywalking-lint: ignore=interval-short a test"
    rules, accepted = await lint_with("- name", f"{comment}\n- name", METRIC + second)

    assert (rules, accepted) == ([LIMIT, SHORT, LIMIT], 1)


async def test_comments_may_follow_each_other() -> None:
    comments = "# skywalking-lint: ignore=interval-short a\n\n# skywalking-lint: ignore=limit-unreachable b\n# c"

    assert await lint_with("- name", f"{comments}\n- name") == ([], 2)


async def test_one_comment_accepts_several_findings() -> None:
    text = METRIC.replace("30s", "31s") + METRIC.replace("rate", "other", 1)
    head = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}\n"
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    comment = "# skywalking-lint: ignore=interval-short,limit-unreachable the whole file"
    report = await lint_text(f"{head}{comment}\nspec:\n  metrics:\n{lines}")

    assert (report.findings, report.accepted) == ([], 4)


@pytest.mark.parametrize(
    "comment",
    [
        "# skywalking-lint: ignore=interval-short",
        "# skywalking-lint: ignore= a reason",
        "# skywalking-lint: ignore=interval-short, limit-unreachable a reason",
        "# skywalking-lint ignore interval-short",
        "# skywalking-lint:",
        "# skywalking-lint: ignore=Interval-Short a reason",
    ],
)
async def test_invalid_comment_accepts_nothing(comment: str) -> None:
    rules, _ = await lint_with("30s", f"30s  {comment}")

    assert INVALID in rules


async def test_text_of_a_value_is_no_comment() -> None:
    text = METRIC.replace("- name: rate", '- name: "a # skywalking-lint: ignore=x"')
    block = "successCondition: |\n    result >= 0.95\n    # skywalking-lint: off\n"
    rules, _ = await lint_with("successCondition: result >= 0.95\n", block, text)

    assert INVALID not in rules


async def test_comment_of_a_wrong_rule_is_unused() -> None:
    assert await lint_with("30s", "30s  # skywalking-lint: ignore=block-hash a") == ([SHORT, UNUSED, LIMIT], 0)
