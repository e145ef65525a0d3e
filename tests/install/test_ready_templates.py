"""Ready templates of the chart: rendered, linted, documented, and measured by `check` on the mock OAP."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from skywalking_provider.mock_oap import MockOap
from tests.install.install_tools import CHART, HELMS, ROOT, SIDECAR, HelmError, RenderedObjects, helm_template

pytestmark = pytest.mark.timeout(900)  # a busy machine starts a command in a minute
NAMES = ["alarms", "apdex", "latency", "smoke", "success-rate"]
PAGE = (ROOT / "docs/templates.md").read_text()
ROLLOUTS = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
ARGUMENTS = {
    "service": "reviews.bookinfo",
    "canary-hash": "6c85f7bf4",
    "stable-hash": "7d4f9c8b65",
    "canary-service": "canary|reviews|bookinfo|cluster-1|-",
    "stable-service": "stable|reviews|bookinfo|cluster-1|-",
}
"""Service, pods and services of the mock's scenarios."""

PATIENT = {"SWP_BACKENDS__DEFAULT__TIMEOUT": "60s"}
"""The machine may be busy."""


def render_templates(
    templates: dict[str, Any] | None = None, helm: str = "helm", **values: Any
) -> dict[str, dict[str, Any]]:
    """Return the rendered templates by name, with values below `templates` and others."""
    all_values = {"templates": {"enabled": True} | (templates or {})} | values
    objects = RenderedObjects(helm_template(SIDECAR, all_values, helm=helm)).all
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == "ClusterAnalysisTemplate"}


def run_provider(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "skywalking_provider", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def find_block(template: dict[str, Any]) -> dict[str, Any]:
    [metric] = template["spec"]["metrics"]
    [block] = metric["provider"]["plugin"].values()
    return block


def test_templates_are_off_by_default() -> None:
    assert "ClusterAnalysisTemplate" not in RenderedObjects(helm_template(SIDECAR)).kinds()


@pytest.mark.parametrize("helm", HELMS)
def test_every_template_but_the_smoke_check_has_a_form_for_the_background(helm: str) -> None:
    templates = render_templates(helm=helm)

    assert templates.keys() == {f"skywalking-{name}" for name in NAMES} | {
        f"skywalking-{name}-background" for name in NAMES if name != "smoke"
    }
    for name, template in templates.items():
        [metric] = template["spec"]["metrics"]
        if name.endswith("-background"):
            assert (metric.get("interval"), metric.get("count")) == ("1m", None), (
                "Argo measures until the last step ends"
            )
        else:
            assert "interval" not in metric or metric["count"] > 1, "a step has to end"


def test_values_set_prefix_plugin_and_backend() -> None:
    templates = render_templates({"prefix": "acme-", "backend": "prod"}, plugin={"name": "acme/skywalking"})

    assert all(name.startswith("acme-") for name in templates)
    for template in templates.values():
        [metric] = template["spec"]["metrics"]
        assert metric["provider"]["plugin"].keys() == {"acme/skywalking"}
        assert find_block(template)["backend"] == "prod"


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"templates": {"backend": "test"}}, "templates.backend: test is not a key of backends."),
        ({"backends": {"test": {"url": "http://oap:12800"}}}, "templates.backend: not set, but backends has 2 keys."),
    ],
)
def test_backend_that_the_templates_cannot_name_is_an_error(values: dict[str, Any], error: str) -> None:
    with pytest.raises(HelmError, match=re.escape(error)):
        render_templates(values.pop("templates", None), **values)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("templates") / "templates.yaml"
    file.write_text(yaml.safe_dump_all(render_templates().values()))
    return file


def test_lint_has_no_finding(rendered: Path) -> None:
    done = run_provider("lint", str(rendered))

    assert "no findings in 1 file, 9 templates" in done.stdout
    assert done.returncode == 0


def test_files_of_the_chart_are_accepted_as_they_are() -> None:
    done = run_provider("lint", str(CHART / "analysis-templates"))

    assert "no findings in 5 files, 5 templates" in done.stdout


PHASES = {
    "healthy-canary": dict.fromkeys(NAMES, "Successful"),
    "failing-canary": dict.fromkeys(NAMES, "Failed") | {"alarms": "Successful", "smoke": "Successful"},
}
"""Phases on the mock by scenario and template. A tenth of the calls fails, and the mock has no alarm rules."""


@pytest.mark.parametrize("scenario", PHASES)
async def test_check_measures_every_template_on_the_mock(rendered: Path, scenario: str) -> None:
    arguments = [f"-a{name}={value}" for name, value in ARGUMENTS.items()]
    async with MockOap(scenario) as oap:
        command = (sys.executable, "-m", "skywalking_provider", "check", "-f", rendered, "-o", "json", *arguments)
        process = await asyncio.create_subprocess_exec(
            *command, "--address", oap.url, stdout=subprocess.PIPE, env=os.environ | PATIENT
        )
        output = (await process.communicate())[0]

    measured = {one["template"]: one["phase"] for one in json.loads(output)}
    assert measured == {
        name: PHASES[scenario][name.removeprefix("skywalking-").removesuffix("-background")] for name in measured
    }
    assert len(measured) == 9


def analyses(rollout: dict[str, Any]) -> Iterator[dict[str, Any]]:
    canary = rollout["spec"]["strategy"]["canary"]
    yield from [canary["analysis"]] if "analysis" in canary else []
    yield from (step["analysis"] for step in canary["steps"] if "analysis" in step)


def test_rollouts_of_the_page_pass_the_arguments_of_every_template() -> None:
    templates, used = render_templates(), set()
    for rollout in ROLLOUTS:
        for analysis in analyses(rollout):
            declared = set()
            for each in analysis["templates"]:
                assert each["clusterScope"]
                used.add(each["templateName"].removesuffix("-background"))
                declared |= {argument["name"] for argument in templates[each["templateName"]]["spec"]["args"]}
            assert {argument["name"] for argument in analysis["args"]} == declared

    assert used == {f"skywalking-{name}" for name in NAMES}


def test_table_of_the_page_has_the_arguments_of_every_template() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE)

    assert {name: set(re.findall("`([^`]+)`", arguments)) for name, arguments in rows} == {
        name: {argument["name"] for argument in template["spec"]["args"]}
        for name, template in render_templates().items()
        if not name.endswith("-background")
    }
