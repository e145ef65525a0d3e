"""A real API server takes the examples, and the stock controller the example's rollout."""

from pathlib import Path

import yaml
from e2e_applied import place, runs, unlike
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


def test_the_kustomize_way_is_stored_as_it_is_built_and_its_pod_is_admitted(lab: Lab, tmp_path: Path) -> None:
    here = place(lab.kubectl, "kustomized")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    for file in KUSTOMIZE.iterdir():
        (overlay / file.name).write_bytes(file.read_bytes())
    wanted = yaml.safe_load((KUSTOMIZE / "kustomization.yaml").read_text()) | {"namespace": here.namespace}
    built = [each for each in overlay_on_argo(tmp_path, wanted).all if each["kind"] != "CustomResourceDefinition"]

    here.apply(built)

    assert unlike(here, built) == []
    runs(here, "argo-rollouts")
