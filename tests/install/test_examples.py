"""The examples: what they ask is answered, what they name is there, and what was generated is current."""

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


async def checked(scenario: str) -> dict[str, str]:
    """The verdict of every metric of the example, by `skywalking-provider check`."""
    async with MockOap(scenario) as oap:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skywalking_provider", "check", "-f", str(BOOKINFO / "analysis.yaml")),
            *("-a", "canary-hash=6c85f7bf4", "--address", oap.url, "-o", "json"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    return {metric["metric"]: metric["phase"] for metric in json.loads(out)}


async def test_all_three_forms_let_a_healthy_canary_pass() -> None:
    assert await checked("healthy-canary") == {
        "success-rate": "Successful",
        "slowest-pod": "Successful",
        "apdex": "Successful",
    }


async def test_a_failing_canary_is_seen_by_its_pods() -> None:
    assert (await checked("failing-canary"))["success-rate"] == "Failed"


async def test_a_slow_canary_is_seen_by_its_slowest_pod() -> None:
    assert (await checked("slow-canary"))["slowest-pod"] == "Failed"


def test_everything_is_in_one_namespace_and_nothing_is_missing(bookinfo: RenderedObjects) -> None:
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


def test_the_rollout_names_templates_routes_and_subsets_that_are_there(bookinfo: RenderedObjects) -> None:
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


def test_every_argument_of_a_template_has_a_value_or_gets_one(bookinfo: RenderedObjects) -> None:
    canary = bookinfo.get("Rollout", "reviews")["spec"]["strategy"]["canary"]
    for analysis in (canary["analysis"], *(step["analysis"] for step in canary["steps"] if "analysis" in step)):
        given = {argument["name"] for argument in analysis.get("args", [])}
        for each in analysis["templates"]:
            wanted = bookinfo.get("AnalysisTemplate", each["templateName"])["spec"]["args"]
            assert {argument["name"] for argument in wanted if "value" not in argument} <= given


def applications() -> dict[str, Any]:
    found = [yaml.safe_load((ARGO_CD / f"{name}.yaml").read_text()) for name in APPLICATIONS]
    return {each["metadata"]["name"]: each["spec"] for each in found}


APPLICATIONS = ("skywalking-provider", "argo-rollouts", "bookinfo")


def test_argo_cd_finds_the_chart_its_values_and_the_example() -> None:
    chart = applications()["skywalking-provider"]["source"]
    [values] = chart["helm"]["valueFiles"]

    assert ROOT / chart["path"] == CHART
    assert (ROOT / chart["path"] / values).resolve() == ARGO_CD / "values.yaml"
    assert ROOT / applications()["bookinfo"]["source"]["path"] == BOOKINFO
    assert "Deployment" not in render(ARGO_CD / "values.yaml").kinds()


def test_argo_cd_gives_the_stock_chart_the_values_that_ours_writes() -> None:
    stock, ours = applications()["argo-rollouts"]["sources"]
    [values] = stock["helm"]["valueFiles"]
    file = ARGO_CD / "argo-rollouts-values.yaml"

    assert (ROOT / values.removeprefix(f"${ours['ref']}/")).resolve() == file
    assert yaml.safe_load(file.read_text()) == values_for_argo(ARGO_CD / "values.yaml")


def test_the_generated_file_is_what_the_readmes_command_prints() -> None:
    printed = helm_template(
        ARGO_CD / "values.yaml",
        arguments=("--set=argoRollouts.printValues=true", "--show-only=templates/argo-rollouts-values.yaml"),
    )

    assert (ARGO_CD / "argo-rollouts-values.yaml").read_text() == printed


def test_argo_cd_leaves_the_weights_to_argo_rollouts(bookinfo: RenderedObjects) -> None:
    ignored = {each["kind"]: each for each in applications()["bookinfo"]["ignoreDifferences"]}
    pointer = ignored["VirtualService"]["jsonPointers"][0]
    node: Any = bookinfo.get("VirtualService", "reviews")
    for key in pointer.strip("/").split("/"):
        node = node[int(key) if isinstance(node, list) else key]

    assert [each["weight"] for each in node] == [100, 0]
    assert "DestinationRule" in ignored


def test_every_file_that_the_readmes_name_is_there() -> None:
    for readme in (BOOKINFO / "README.md", ARGO_CD / "README.md"):
        for word in readme.read_text().split():
            path = word.strip("`.,)").split("=")[-1]
            if path.startswith(("examples/", "charts/")):
                assert (ROOT / Path(path)).exists(), path
