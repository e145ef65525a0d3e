"""Examples: their templates are measurable, their references exist and the generated file is current."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from skywalking_provider.mock_oap import MockOap
from tests.install.install_tools import (
    CHART,
    ROOT,
    RenderedObjects,
    helm_template,
    render,
    run_tool,
    values_for_argo,
)

BOOKINFO = ROOT / "examples" / "bookinfo"
ARGO_CD = ROOT / "examples" / "argo-cd"


@pytest.fixture(scope="module")
def bookinfo() -> RenderedObjects:
    return RenderedObjects(run_tool("kustomize", "build", str(BOOKINFO)))


async def run_check(file: str, scenario: str, *arguments: str) -> dict[str, str]:
    """Return the verdict of every metric of an example, measured by `skywalking-provider check`."""
    async with MockOap(scenario) as oap:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skywalking_provider", "check", "-f", str(BOOKINFO / file)),
            *("-a", "canary-hash=6c85f7bf4", *arguments, "--address", oap.url, "-o", "json"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    return {metric["metric"]: metric["phase"] for metric in json.loads(out)}


@pytest.mark.parametrize(
    ("scenario", "calls", "latency"),
    [
        ("healthy-canary", "Successful", "Successful"),
        ("failing-canary", "Failed", "Failed"),
        ("slow-canary", "Successful", "Failed"),
    ],
)
async def test_judged_example_finds_the_canary(scenario: str, calls: str, latency: str) -> None:
    assert await run_check("analysis.yaml", scenario, "-a", "stable-hash=7d4f9c8b65") == {
        "success-rate": calls,
        "latency": latency,
        "success-rate-of-all-steps": calls,
    }


async def test_threshold_example_healthy_canary_passes_every_metric() -> None:
    assert await run_check("thresholds.yaml", "healthy-canary") == {
        "success-rate": "Successful",
        "slowest-pod": "Successful",
        "apdex": "Successful",
    }


async def test_threshold_example_failing_canary_fails_by_its_instances() -> None:
    assert (await run_check("thresholds.yaml", "failing-canary"))["success-rate"] == "Failed"


async def test_threshold_example_slow_canary_fails_by_its_slowest_instance() -> None:
    assert (await run_check("thresholds.yaml", "slow-canary"))["slowest-pod"] == "Failed"


def test_example_objects_are_complete_and_in_one_namespace(bookinfo: RenderedObjects) -> None:
    assert bookinfo.kinds() == [
        "AnalysisTemplate",
        "DestinationRule",
        "Namespace",
        "Rollout",
        "Service",
        "ServiceAccount",
        "VirtualService",
    ]
    assert {each["metadata"].get("namespace", "bookinfo") for each in bookinfo.all} == {"bookinfo"}


def test_example_rollout_references_exist(bookinfo: RenderedObjects) -> None:
    canary = bookinfo.get("Rollout", "reviews")["spec"]["strategy"]["canary"]
    analyses = [canary["analysis"], *(step["analysis"] for step in canary["steps"] if "analysis" in step)]
    named = {each["templateName"] for analysis in analyses for each in analysis["templates"]}
    istio = canary["trafficRouting"]["istio"]
    route = bookinfo.get("VirtualService", istio["virtualService"]["name"])["spec"]["http"][0]
    subsets = [each["name"] for each in bookinfo.get("DestinationRule", "reviews")["spec"]["subsets"]]

    assert named == set(bookinfo.names("AnalysisTemplate"))
    assert [route["name"]] == istio["virtualService"]["routes"]
    assert subsets == [istio["destinationRule"]["stableSubsetName"], istio["destinationRule"]["canarySubsetName"]]
    assert [each["destination"]["subset"] for each in route["route"]] == subsets


def test_example_template_arguments_all_have_values(bookinfo: RenderedObjects) -> None:
    canary = bookinfo.get("Rollout", "reviews")["spec"]["strategy"]["canary"]
    for analysis in (canary["analysis"], *(step["analysis"] for step in canary["steps"] if "analysis" in step)):
        given = {argument["name"] for argument in analysis.get("args", [])}
        for each in analysis["templates"]:
            expected = bookinfo.get("AnalysisTemplate", each["templateName"])["spec"]["args"]
            assert {argument["name"] for argument in expected if "value" not in argument} <= given


def applications() -> dict[str, Any]:
    found = [yaml.safe_load((ARGO_CD / f"{name}.yaml").read_text()) for name in APPLICATIONS]
    return {each["metadata"]["name"]: each["spec"] for each in found}


APPLICATIONS = ("skywalking-provider", "argo-rollouts", "bookinfo")


def test_argo_cd_applications_reference_existing_paths() -> None:
    chart = applications()["skywalking-provider"]["source"]
    [values] = chart["helm"]["valueFiles"]

    assert ROOT / chart["path"] == CHART
    assert (ROOT / chart["path"] / values).resolve() == ARGO_CD / "values.yaml"
    assert ROOT / applications()["bookinfo"]["source"]["path"] == BOOKINFO
    assert "Deployment" not in render(ARGO_CD / "values.yaml").kinds()


def test_argo_cd_stock_chart_uses_the_generated_values() -> None:
    stock, values_source = applications()["argo-rollouts"]["sources"]
    [values] = stock["helm"]["valueFiles"]
    file = ARGO_CD / "argo-rollouts-values.yaml"

    assert (ROOT / values.removeprefix(f"${values_source['ref']}/")).resolve() == file
    assert yaml.safe_load(file.read_text()) == values_for_argo(ARGO_CD / "values.yaml")


def test_argo_cd_generated_file_is_current() -> None:
    printed = helm_template(
        ARGO_CD / "values.yaml",
        arguments=("--set=argoRollouts.printValues=true", "--show-only=templates/argo-rollouts-values.yaml"),
    )

    assert (ARGO_CD / "argo-rollouts-values.yaml").read_text() == printed


def test_argo_cd_ignores_the_weights(bookinfo: RenderedObjects) -> None:
    ignored = {each["kind"]: each for each in applications()["bookinfo"]["ignoreDifferences"]}
    pointer = ignored["VirtualService"]["jsonPointers"][0]
    node: Any = bookinfo.get("VirtualService", "reviews")
    for key in pointer.strip("/").split("/"):
        node = node[int(key) if isinstance(node, list) else key]

    assert [each["weight"] for each in node] == [100, 0]
    assert "DestinationRule" in ignored


def test_example_readmes_reference_existing_files() -> None:
    for readme in (BOOKINFO / "README.md", ARGO_CD / "README.md"):
        for word in readme.read_text().split():
            path = word.strip("`.,)").split("=")[-1]
            if path.startswith(("examples/", "charts/")):
                assert (ROOT / Path(path)).exists(), path
