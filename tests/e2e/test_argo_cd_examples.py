"""The Applications of examples/argo-cd, synchronised by a real Argo CD from a Git repository of this checkout.

The stock argo-rollouts chart is not in a package registry. A small chart with the same keys takes its place.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.lab import Lab, find_free_ports, wait_for
from tests.e2e.rollout_timeline import ROLLOUT, parse_weights
from tests.install.install_tools import ROOT

EXAMPLES = ROOT / "examples" / "argo-cd"
NAMES = ("skywalking-provider", "argo-rollouts", "bookinfo")
SYNC_SECONDS = 150.0
"""A synchronisation takes seconds; the limit is for a loaded machine."""

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: argo-rollouts}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: argo-rollouts}}
  template:
    metadata: {labels: {app.kubernetes.io/name: argo-rollouts}}
    spec:
      securityContext: {{- toYaml .Values.podSecurityContext | nindent 8 }}
      initContainers: {{- toYaml .Values.controller.initContainers | nindent 8 }}
      containers:
        - name: argo-rollouts
          image: quay.io/argoproj/argo-rollouts
          volumeMounts: {{- toYaml .Values.controller.volumeMounts | nindent 12 }}
      volumes: {{- toYaml .Values.controller.volumes | nindent 8 }}
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Commit charts, examples and the chart in place of the stock one; return the URL of the repository."""
    folder = tmp_path_factory.mktemp("repository")
    for part in ("charts", "examples"):
        shutil.copytree(ROOT / part, folder / part)
    templates = folder / "stock-chart" / "templates"
    templates.mkdir(parents=True)
    (templates / "deployment.yaml").write_text(DEPLOYMENT)
    (folder / "stock-chart" / "Chart.yaml").write_text("apiVersion: v2\nname: argo-rollouts\nversion: 2.0.0\n")
    identity = ("-c", "user.name=test", "-c", "user.email=test@lab.invalid", "-c", "commit.gpgsign=false")
    for command in (("init", "-q", "-b", "main"), ("add", "--all"), (*identity, "commit", "-q", "-m", "examples")):
        subprocess.run(("git", "-C", folder, *command), check=True)
    return f"file://{folder}"


def read_application(name: str, repository: str) -> Object:
    """Read an Application of the examples, with the repository of this test."""
    [application] = yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text())
    spec: dict[str, Any] = application["spec"]
    for source in spec.get("sources") or [spec["source"]]:
        source["repoURL"] = repository
        if source.pop("chart", None):
            source |= {"path": "stock-chart", "targetRevision": "main"}
    return application


@pytest.fixture(scope="module")
def argo_cd(lab: Lab, repository: str) -> Iterator[Kubectl]:
    """Start Argo CD with the three Applications, all synchronised and healthy; return kubectl for its namespace."""
    if not (lab.home / "bin/argocd").exists():
        pytest.skip("Argo CD is not built. Run lab/build.sh talk.")
    lab.kubectl.run("apply", "--server-side", "-f", str(lab.home / "manifests/others-crds.yaml"))
    names = ("LAB_REDIS_PORT", "LAB_ARGOCD_PORT", "LAB_ARGOCD_REPO_PORT")
    ports = {name: str(port) for name, port in zip(names, find_free_ports(len(names)), strict=True)}
    lab.start("argocd", **ports, LAB_ARGOCD_METRICS_PORT="28082", LAB_ARGOCD_POLL="5s")
    kubectl = lab.kubectl.in_namespace("argocd")
    try:
        kubectl.apply([read_application(name, repository) for name in NAMES])
        for name in NAMES:
            wait_for(lambda name=name: read_state(kubectl, name) == ("Synced", "Healthy"), SYNC_SECONDS, f"{name}")
        yield kubectl
    finally:
        kubectl.run("delete", "applications.argoproj.io", "--all")
        lab.stop("argocd-controller", "argocd-server", "argocd-repo-server", "redis")


def read_state(argo_cd: Kubectl, name: str) -> tuple[str, str]:
    status = argo_cd.get("applications.argoproj.io", name).get("status", {})
    return status.get("sync", {}).get("status", ""), status.get("health", {}).get("status", "")


def test_chart_application_creates_the_configuration_of_the_service(argo_cd: Kubectl) -> None:
    configuration = argo_cd.in_namespace("argo-rollouts").get("ConfigMap", "skywalking-provider")

    assert "http://oap.istio-system:12800" in configuration["data"]["config.yaml"]


def test_argo_rollouts_application_has_the_committed_values(argo_cd: Kubectl) -> None:
    pod = argo_cd.in_namespace("argo-rollouts").get("Deployment", "argo-rollouts")["spec"]["template"]["spec"]
    values = yaml.safe_load((EXAMPLES / "argo-rollouts-values.yaml").read_text())

    names = [one["name"] for one in values["controller"]["initContainers"]]
    assert (
        [one["name"] for one in pod["initContainers"]] == names == ["skywalking-provider-bridge", "skywalking-provider"]
    )


def test_bookinfo_application_ignores_weights_and_restores_other_changes(argo_cd: Kubectl) -> None:
    bookinfo = argo_cd.in_namespace("bookinfo")
    service = bookinfo.get("VirtualService", "reviews")
    for route, weight in zip(service["spec"]["http"][0]["route"], (70, 30), strict=True):
        route["weight"] = weight
    route_patch = json.dumps(
        [{"op": "replace", "path": "/spec/http/0/route", "value": service["spec"]["http"][0]["route"]}]
    )

    bookinfo.run("patch", "VirtualService", "reviews", "--type", "json", "-p", route_patch)
    bookinfo.merge(ROLLOUT, "reviews", {"spec": {"revisionHistoryLimit": 7}})

    def is_restored() -> bool:
        limit: int = bookinfo.get(ROLLOUT, "reviews")["spec"]["revisionHistoryLimit"]
        return limit == 3 and read_state(argo_cd, "bookinfo")[0] == "Synced"

    wait_for(is_restored, SYNC_SECONDS, "Argo CD to restore the Rollout")
    assert parse_weights(bookinfo.get("VirtualService", "reviews")) == (70, 30)
