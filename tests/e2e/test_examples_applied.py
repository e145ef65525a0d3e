"""A real API server takes the examples, and the stock controller the example's rollout."""

import json
from pathlib import Path

import yaml
from e2e_applied import place, runs, unlike
from e2e_kubectl import Kubectl, Object
from e2e_lab import Lab
from e2e_story import ROLLOUT
from install_tools import ROOT, Objects, overlay_on_argo, run

BOOKINFO = ROOT / "examples" / "bookinfo"
KUSTOMIZE = ROOT / "examples" / "kustomize"


def test_the_bookinfo_example_is_stored_as_it_is_written_and_the_controller_runs_its_rollout(lab: Lab) -> None:
    here = place(lab.kubectl, "bookinfo-example", "baseline")
    written = [each for each in Objects(run("kustomize", "build", str(BOOKINFO))).all if each["kind"] != "Namespace"]
    for each in written:
        each["metadata"]["namespace"] = here.namespace

    here.apply(written)

    assert unlike(here, written) == []
    here.run("wait", "--for", "jsonpath={.status.phase}=Healthy", "--timeout", "25s", f"{ROLLOUT}/reviews")


def kustomized(here: Kubectl, folder: Path) -> list[Object]:
    overlay = folder / "overlay"
    overlay.mkdir()
    for file in KUSTOMIZE.iterdir():
        (overlay / file.name).write_bytes(file.read_bytes())
    wanted = yaml.safe_load((KUSTOMIZE / "kustomization.yaml").read_text()) | {"namespace": here.namespace}
    return [each for each in overlay_on_argo(folder, wanted).all if each["kind"] != "CustomResourceDefinition"]


def test_the_kustomize_way_is_stored_as_it_is_built_and_its_pod_is_admitted(lab: Lab, tmp_path: Path) -> None:
    here = place(lab.kubectl, "kustomized")
    built = kustomized(here, tmp_path)

    here.apply(built)

    assert unlike(here, built) == []
    runs(here, "argo-rollouts")


def test_argos_manifests_without_the_component_take_the_plugin_away(lab: Lab, tmp_path: Path) -> None:
    here = place(lab.kubectl, "kustomized-no-more")
    here.apply(kustomized(here, tmp_path))
    plain = {"namespace": here.namespace, "resources": ["../manifests/cluster-install"]}
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "kustomization.yaml").write_text(yaml.safe_dump(plain))

    built = Objects(run("kustomize", "build", str(tmp_path / "plain"))).all
    here.apply([each for each in built if each["kind"] != "CustomResourceDefinition"])

    pod = here.get("Deployment", "argo-rollouts")["spec"]["template"]["spec"]
    assert "skywalking" not in json.dumps(pod)
    assert pod["securityContext"] == {"runAsNonRoot": True}
    assert "data" not in here.get("ConfigMap", "argo-rollouts-config")
