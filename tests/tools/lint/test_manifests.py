"""Manifests that are right have no finding: Argo's examples of the pinned version, and this repository's."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from skywalking_provider.tools.lint.findings import Finding
from skywalking_provider.tools.lint.linter import LintReport
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.sources import Source
from tests.install.install_tools import CI_VALUES, helm_template, run_tool, values_id
from tests.tools.lint.harness import ROOT, lint, lint_paths, wrap

MODULE = "github.com/argoproj/argo-rollouts"
FENCE = re.compile(r"^( *)```yaml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
MANIFESTS = ["examples", "kustomize", "charts", "skywalking_provider/tools/demo"]
WRONG_ON_PURPOSE = {"tests/e2e/manifests/wrong-reads.yaml"}
UNUSUAL = {Rule.INTERVAL_SHORT, Rule.THRESHOLD_FIRST_NOISE, Rule.CONDITION_MISSING}
"""Findings in manifests of the end-to-end tests, which measure a mock each few seconds and read the results."""


def argo_examples() -> Path:
    command = ["go", "list", "-m", "-f", "{{.Dir}}", MODULE]
    environment = os.environ | {"GOTOOLCHAIN": "auto", "GOFLAGS": "-mod=mod"}
    found = subprocess.run(command, cwd=ROOT / "bridge", env=environment, capture_output=True, text=True, check=False)
    folder = Path(found.stdout.strip()) / "examples"
    if found.returncode or not folder.is_dir():
        pytest.skip(f"Argo's module is not downloaded: {found.stderr.strip()[:100]}")
    return folder


def describe(findings: list[Finding]) -> list[str]:
    return [f"{Path(one.file).name}:{one.place.line} {one.rule}" for one in findings]


async def test_examples_of_argo_have_no_finding_but_an_invalid_file(
    record_property: Callable[[str, object], None],
) -> None:
    report = await lint_paths(argo_examples())
    record_property("Argo's examples", f"{report.files} files, {report.templates} templates")

    assert report.files >= 35
    assert report.templates >= 6
    # {{args.linkerd-enabled}} without quotes is a map as a key: kubectl rejects the file, too.
    assert describe(report.findings) == ["rollout-linkerd.yaml:101 yaml-invalid"]


async def test_manifests_of_this_repository_have_no_finding() -> None:
    report = await lint_paths(*(ROOT / folder for folder in MANIFESTS))

    assert report.templates >= 7
    assert report.findings == []


@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
async def test_objects_of_the_chart_have_no_finding(values: Path) -> None:
    report = await lint_paths("-", stdin=helm_template(values).encode())

    assert (report.files, report.findings) == (1, [])


async def test_finding_in_a_rendered_chart_names_its_template(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: shop, version: 0.1.0}")
    (tmp_path / "values.yaml").write_text("{limit: 99}")
    block = "{sli: apdex, window: 5m, service: '{{ \"{{args.service}}\" }}'}"
    metric = f"- name: a\n  successCondition: result >= LIMIT\n  provider: {{plugin: {{skywalking/metrics: {block}}}}}"
    text = wrap(metric.replace("LIMIT", "{{ .Values.limit }}"))
    (tmp_path / "templates" / "analysis.yaml").write_text(text)
    rendered = run_tool("helm", "template", "shop", str(tmp_path))
    (finding,) = (await lint_paths("-", stdin=rendered.encode())).findings

    assert (finding.rule, finding.source) == (Rule.CONDITION_CANNOT_PASS, "shop/templates/analysis.yaml")


async def test_manifests_of_the_end_to_end_tests_have_only_findings_that_they_need() -> None:
    files = sorted(file for file in (ROOT / "tests" / "e2e").rglob("*.yaml"))
    right = [file for file in files if str(file.relative_to(ROOT)) not in WRONG_ON_PURPOSE]
    reports = [await lint_paths(file) for file in right]  # alone: their objects belong to different tests

    assert sum(one.templates for one in reports) >= 4
    assert {one.rule for report in reports for one in report.findings} <= UNUSUAL


def documented_templates() -> list[Source]:
    """Return the YAML of all pages: whole objects, and lists of metrics as a template."""
    sources = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*/*/README.md"))):
        for at, (indent, text) in enumerate(FENCE.findall(page.read_text())):
            snippet = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
            if snippet.startswith("metrics:\n"):
                snippet = wrap(snippet.removeprefix("metrics:\n"))
            sources.append(Source(f"{page.name}-{at}", snippet))
    return sources


async def test_templates_of_the_documentation_have_no_finding() -> None:
    report: LintReport = await lint(*documented_templates())

    assert report.templates >= 8
    assert [(one.file, one.rule, one.message) for one in report.findings] == []
