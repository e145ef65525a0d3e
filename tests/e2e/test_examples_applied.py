"""A real API server takes the examples, and the stock controller the example's rollout."""

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


def test_the_bookinfo_example_is_stored_as_it_is_written_and_the_controller_runs_its_rollout(lab: Lab) -> None:
    here = create_namespace(lab.kubectl, "bookinfo-example", "baseline")
    written = [
        each
        for each in RenderedObjects(run_tool("kustomize", "build", str(BOOKINFO))).all
        if each["kind"] != "Namespace"
    ]
    for each in written:
        each["metadata"]["namespace"] = here.namespace

    here.apply(written)

    assert find_object_differences(here, written) == []
    here.run("wait", "--for", "jsonpath={.status.phase}=Healthy", "--timeout", "25s", f"{ROLLOUT}/reviews")


def kustomized(here: Kubectl, folder: Path) -> list[Object]:
    overlay = folder / "overlay"
    overlay.mkdir()
    for file in KUSTOMIZE.iterdir():
        (overlay / file.name).write_bytes(file.read_bytes())
    wanted = yaml.safe_load((KUSTOMIZE / "kustomization.yaml").read_text()) | {"namespace": here.namespace}
    return [each for each in build_overlay(folder, wanted).all if each["kind"] != "CustomResourceDefinition"]


def test_the_kustomize_way_is_stored_as_it_is_built_and_its_pod_is_admitted(lab: Lab, tmp_path: Path) -> None:
    here = create_namespace(lab.kubectl, "kustomized")
    built = kustomized(here, tmp_path)

    here.apply(built)

    assert find_object_differences(here, built) == []
    wait_until_available(here, "argo-rollouts")


def test_argos_manifests_without_the_component_take_the_plugin_away(lab: Lab, tmp_path: Path) -> None:
    here = create_namespace(lab.kubectl, "kustomized-no-more")
    here.apply(kustomized(here, tmp_path))
    plain = {"namespace": here.namespace, "resources": ["../manifests/cluster-install"]}
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "kustomization.yaml").write_text(yaml.safe_dump(plain))

    built = RenderedObjects(run_tool("kustomize", "build", str(tmp_path / "plain"))).all
    here.apply([each for each in built if each["kind"] != "CustomResourceDefinition"])

    pod = here.get("Deployment", "argo-rollouts")["spec"]["template"]["spec"]
    assert "skywalking" not in json.dumps(pod)
    assert pod["securityContext"] == {"runAsNonRoot": True}
    assert "data" not in here.get("ConfigMap", "argo-rollouts-config")
