"""Templates from public bug reports: each has the finding that its reporter needed."""

import pytest

from skywalking_provider.tools.lint.registry import Rule
from tests.tools.lint.harness import DATA, lint_paths

FOLDER = DATA / "field-cases"
FOUND: dict[str, list[Rule]] = {
    "argo-1004-helm-soft": [Rule.HELM_TEMPLATE],
    "argo-1004-helm": [Rule.HELM_TEMPLATE],
    "argo-1617-dryrun": [Rule.ARGO_UNKNOWN_KEY],
    "argo-380-workaround": [Rule.ARGO_UNKNOWN_KEY, Rule.THRESHOLD_FIRST_NOISE],
    "argo-380": [Rule.ARGO_UNKNOWN_KEY, Rule.THRESHOLD_FIRST_NOISE],
    "argo-987": [Rule.ARGO_ARGUMENT, Rule.BLOCK_INVALID],
    "dotnet": [Rule.ARGO_UNKNOWN_KEY, Rule.THRESHOLD_FIRST_NOISE],
    "exec-in-query": [Rule.METRIC_LABEL],
    "flagger-1273": [Rule.BLOCK_INVALID, Rule.THRESHOLD_FIRST_NOISE],
    "k8s-116447-workaround": [Rule.ARGO_UNKNOWN_KEY, Rule.LIMIT_OVERLAP],
    "k8s-116447": [Rule.ARGO_UNKNOWN_KEY, Rule.LIMIT_OVERLAP],
    "kinds": [Rule.THRESHOLD_FIRST_NOISE],
    "literal-duration-builtin": [Rule.BLOCK_INVALID],
    "literal-duration": [Rule.BLOCK_INVALID],
    "literal-mixed": [Rule.BLOCK_INVALID],
    "names": [Rule.THRESHOLD_FIRST_NOISE],
    "skywalking-7242-oldnames": [Rule.METRIC_TYPE, Rule.METRIC_LABEL, Rule.METRIC_LABEL, Rule.METRIC_LABEL],
    "skywalking-7242-p99": [Rule.METRIC_LABEL],
    "skywalking-7242": [Rule.QUERY_VARIABLE, Rule.QUERY_VARIABLE, Rule.BLOCK_INVALID, Rule.BLOCK_INVALID],
    "vdb": [Rule.CONDITION_CANNOT_FAIL, Rule.CONDITION_INVALID],
    "with-job": [Rule.THRESHOLD_FIRST_NOISE],
}


def test_every_case_has_an_expectation() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == FOUND.keys()


@pytest.mark.parametrize("name", FOUND)
async def test_template_of_a_bug_report_has_its_findings(name: str) -> None:
    report = await lint_paths(FOLDER / f"{name}.yaml")

    assert [one.rule for one in report.findings] == FOUND[name]
