"""Rollouts of real pods, whose analysis measures a service."""

from pathlib import Path

import yaml

from tests.e2e.containers.installation import Installation
from tests.e2e.containers.mock_oap import BAD, GOOD
from tests.e2e.containers.node import wait_for
from tests.e2e.kubectl import Object

ROLLOUT = "rollouts.argoproj.io"


def rollout_objects(name: str, service: str) -> list[Object]:
    """Return a Rollout of two pods and its template, in the format of a user's manifests."""
    text = (Path(__file__).parent / "rollout.yaml").read_text()
    return list(yaml.safe_load_all(text.replace("NAME", name).replace("SERVICE", service)))


def phase(installation: Installation, name: str) -> str:
    status = installation.kubectl.get(ROLLOUT, name).get("status", {})
    return str(status.get("phase")) if status.get("observedGeneration") else ""


def update(installation: Installation, *names: str) -> None:
    for name in names:
        annotations = {"annotations": {"release": "2"}}
        installation.kubectl.merge(ROLLOUT, name, {"spec": {"template": {"metadata": annotations}}})


def check_rollouts(installation: Installation) -> None:
    """Update a good and a bad Rollout of real pods: the one is promoted, the other aborted."""
    for name, service in (("good", GOOD), ("bad", BAD)):
        installation.kubectl.apply(rollout_objects(name, service))
    names = ("good", "bad")
    wait_for(lambda: {phase(installation, name) for name in names} == {"Healthy"}, "the first revisions")
    stable = installation.kubectl.get(ROLLOUT, "bad")["status"]["stableRS"]

    update(installation, *names)

    wait_for(lambda: phase(installation, "bad") == "Degraded", "the bad version to be aborted")
    status = installation.kubectl.get(ROLLOUT, "bad")["status"]
    assert status["stableRS"] == stable
    assert "CONDITION_NOT_MET" in status["message"]

    def is_promoted() -> bool:
        status = installation.kubectl.get(ROLLOUT, "good")["status"]
        return bool(status["phase"] == "Healthy" and status["stableRS"] == status["currentPodHash"])

    wait_for(is_promoted, "the good version to be promoted")
    runs = {
        run["metadata"]["ownerReferences"][0]["name"]: run["status"]["phase"]
        for run in installation.kubectl.list(["analysisruns.argoproj.io"])
        if "ownerReferences" in run["metadata"]
    }
    assert runs == {"good": "Successful", "bad": "Failed"}
