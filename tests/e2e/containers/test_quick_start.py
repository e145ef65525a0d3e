"""The quick start of docs/install.md from a registry, with the stock controller that downloads the bridge."""

import functools
import json
import re

import pytest
import yaml

from tests.e2e.containers.documented import PAGE, find_block
from tests.e2e.containers.installation import CONTROLLER, SERVICE, Installation
from tests.e2e.containers.mock_oap import CANARY_HASH, STABLE_HASH
from tests.e2e.containers.node import Node, NodeError, wait_for
from tests.e2e.containers.published import PLATFORM, SERVED
from tests.e2e.containers.rollouts import check_rollouts
from tests.e2e.containers.side_by_side import side_by_side
from tests.e2e.kubectl import Object
from tests.e2e.lab import ROOT
from tests.releases.release import Release
from tools.release.plan import CHART

README = (ROOT / "README.md").read_text()
USER_VALUES = {
    "controller": {
        "volumes": [{"name": "users", "emptyDir": {}}],
        # A program of Argo's image stands for another plugin: the controller only copies it.
        "metricProviderPlugins": [{"name": "users/plugin", "location": "file:///bin/rollouts-controller"}],
    },
    "podSecurityContext": {"runAsNonRoot": True, "fsGroup": 1234},
}


def quick_start(namespace: str) -> str:
    """Return the documented commands. Only the address of the downloads differs, because the node has no way out."""
    commands = find_block("Quick start", "helm upgrade --install", namespace)
    delivery = "bridge.delivery=release"
    assert commands.count(delivery) == 1
    return commands.replace(delivery, f"{delivery},bridge.release.url={SERVED}")


def name_by_digest(commands: str, release: Release) -> str:
    """Return commands that install the chart by its digest instead of its version, as docs/verify.md advises."""
    by_version = f"oci://{CHART} --version {release.version} "
    assert commands.count(by_version) == 1
    return commands.replace(by_version, f"oci://{CHART}@{release.chart_digest} ")


def build_run_of_the_readme(name: str) -> Object:
    """Return an AnalysisRun of the template in README.md, for the two versions that the mock OAP plays."""
    [template] = re.findall(r"^```yaml\n(apiVersion: .*?)^```$", README, re.MULTILINE | re.DOTALL)
    spec = yaml.safe_load(template)["spec"]
    values = {"canary-hash": CANARY_HASH, "stable-hash": STABLE_HASH}
    spec["args"] = [arg | {"value": values[arg["name"]]} for arg in spec["args"]]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": name},
        "spec": spec,
    }


def find_pulled_images(installation: Installation) -> set[str]:
    """Return the images that the node has pulled for any namespace."""
    events = installation.kubectl.list(["events"], everywhere=True)
    messages = [str(event.get("message")) for event in events if event.get("reason") == "Pulled"]
    return {found[1] for message in messages if (found := re.match('Successfully pulled image "(.*?)"', message))}


def has_logged(installation: Installation, message: str) -> bool:
    """Return whether a container of the controller's pods, also an ended one, has logged a failed download."""
    selector = f"app.kubernetes.io/name={CONTROLLER}"
    logs = installation.kubectl.run("logs", "-l", selector, "--tail=-1", "--ignore-errors")
    return any("Failed to download plugins: " in line and message in line for line in logs.splitlines())


@side_by_side
def test_quick_start_from_the_registry_judges_rollouts(node: Node) -> None:
    installation, release = Installation.create(node, "quick-start"), node.releases.result()["current"]
    (installation.folder / "users.yaml").write_text(yaml.safe_dump(USER_VALUES))
    with node.installing:
        installation.run(f"helm install {CONTROLLER} argo/{CONTROLLER} -n quick-start -f users.yaml")
        installation.await_controller()
        installation.run(quick_start("quick-start"))
        installation.await_controller()
    output = installation.run(find_block("Quick start", "kubectl -n argo-rollouts rollout status", "quick-start"))
    assert "serves every client that reaches it (insecure)" in output
    assert "1 note" in output

    pods = installation.pods(SERVICE)
    assert [each["spec"]["containers"][0]["image"] for each in pods] == [release.image] * 2
    assert release.image in find_pulled_images(installation)
    pod = installation.controller_pod()["spec"]
    assert "initContainers" not in pod
    assert "users" in [volume["name"] for volume in pod["volumes"]]
    assert pod["securityContext"]["fsGroup"] == 1234
    values = yaml.safe_load(installation.run(f"helm get values {CONTROLLER} -n quick-start"))
    [plugin] = values["controller"]["metricProviderPlugins"]
    assert plugin["sha256"] == release.bridge_sha256(PLATFORM)
    installation.kubectl.apply([build_run_of_the_readme("readme")])
    check_rollouts(installation)
    assert installation.await_run("readme") == "Successful"
    [result] = installation.run_status("readme")["metricResults"]
    assert json.loads(result["measurements"][-1]["value"])["verdict"] == "fine"
    assert set(installation.restarts().values()) == {0}


@side_by_side
def test_released_chart_is_pulled_by_version_or_digest_and_names_its_image(node: Node) -> None:
    release, folder = node.releases.result()["current"], node.folder / "work/pulled"
    folder.mkdir(parents=True)
    node.shell(find_block("Chart and image of a release", "helm pull"), folder)
    values = yaml.safe_load((folder / "charts/skywalking-provider/values.yaml").read_text())
    assert f"{values['image']['repository']}@{values['image']['digest']}" == release.image

    by_digest = "helm show values oci://{chart}@{digest}"
    shown = yaml.safe_load(node.shell(by_digest.format(chart=CHART, digest=release.chart_digest)))
    assert shown.pop("Digest") == release.chart_digest
    assert {key: shown[key] for key in values} == values
    with pytest.raises(NodeError, match="not found"):
        node.shell(by_digest.format(chart=CHART, digest=f"sha256:{'0' * 64}"))


@side_by_side
def test_wrong_sha256_or_version_stops_only_the_new_controller(node: Node) -> None:
    installation, release = Installation.create(node, "wrong-download"), node.releases.result()["current"]
    with node.installing:
        installation.install_argo()
        installation.run(name_by_digest(quick_start("wrong-download"), release))
        installation.await_controller()
    running = installation.controller_pod()["metadata"]["name"]
    _, second = quick_start("wrong-download").split("\nkubectl")
    for right, wrong, message in (
        (release.bridge_sha256(PLATFORM), "0" * 64, "does not match expected hash"),
        (f"/v{release.version}/", "/v9.9.9/", "response code Not Found"),
    ):
        assert message in PAGE
        installation.run(f"kubectl{second.replace('|', f'| sed s,{right},{wrong}, |')}")
        wait_for(functools.partial(has_logged, installation, message), f"the log {message!r}")
    assert running in {pod["metadata"]["name"] for pod in installation.pods()}

    installation.run("helm rollback argo-rollouts 2 -n wrong-download")
    installation.await_controller()
    assert installation.measure() == "Successful"
