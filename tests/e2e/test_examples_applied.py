"""The examples, applied to a real API server and run by the stock controller."""

import json
from pathlib import Path

import yaml

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.lab import Lab
from tests.e2e.rollout_timeline import ROLLOUT
from tests.e2e.stored_objects import create_namespace, find_object_differences, wait_until_available
from tests.install.install_tools import ROOT, RenderedObjects, build_overlay, run_tool

BOOKINFO = ROOT / "examples" / "bookinfo"
KUSTOMIZE = ROOT / "examples" / "kustomize"


def test_bookinfo_example_is_stored_as_written_and_rollout_becomes_healthy(lab: Lab) -> None:
    kubectl = create_namespace(lab.kubectl, "bookinfo-example", "baseline")
    objects = [
        each
        for each in RenderedObjects(run_tool("kustomize", "build", str(BOOKINFO))).all
        if each["kind"] != "Namespace"
    ]
    for each in objects:
        each["metadata"]["namespace"] = kubectl.namespace

    kubectl.apply(objects)

    assert find_object_differences(kubectl, objects) == []
    kubectl.run("wait", "--for", "jsonpath={.status.phase}=Healthy", "--timeout", "25s", f"{ROLLOUT}/reviews")


def build_example(kubectl: Kubectl, folder: Path) -> list[Object]:
    overlay = folder / "overlay"
    overlay.mkdir()
    for file in KUSTOMIZE.iterdir():
        (overlay / file.name).write_bytes(file.read_bytes())
    kustomization = yaml.safe_load((KUSTOMIZE / "kustomization.yaml").read_text()) | {"namespace": kubectl.namespace}
    return [each for each in build_overlay(folder, kustomization).all if each["kind"] != "CustomResourceDefinition"]


def test_kustomize_example_is_stored_as_built_and_pod_is_admitted(lab: Lab, tmp_path: Path) -> None:
    kubectl = create_namespace(lab.kubectl, "kustomized")
    built = build_example(kubectl, tmp_path)

    kubectl.apply(built)

    assert find_object_differences(kubectl, built) == []
    wait_until_available(kubectl, "argo-rollouts")


def test_kustomize_without_component_removes_plugin(lab: Lab, tmp_path: Path) -> None:
    kubectl = create_namespace(lab.kubectl, "kustomized-no-more")
    kubectl.apply(build_example(kubectl, tmp_path))
    plain = {"namespace": kubectl.namespace, "resources": ["../manifests/cluster-install"]}
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "kustomization.yaml").write_text(yaml.safe_dump(plain))

    built = RenderedObjects(run_tool("kustomize", "build", str(tmp_path / "plain"))).all
    kubectl.apply([each for each in built if each["kind"] != "CustomResourceDefinition"])

    pod = kubectl.get("Deployment", "argo-rollouts")["spec"]["template"]["spec"]
    assert "skywalking" not in json.dumps(pod)
    assert pod["securityContext"] == {"runAsNonRoot": True}
    assert "data" not in kubectl.get("ConfigMap", "argo-rollouts-config")
