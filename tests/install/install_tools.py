"""Helpers that run Helm and kustomize, and apply values as the stock argo-rollouts chart does."""

import json
import os
import shutil
import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

METRIC: dict[str, Any] = {
    "name": "success-rate",
    "successCondition": "result >= 0.99",
    "provider": {
        "plugin": {
            "skywalking/metrics": {
                "sli": "success-rate",
                "window": "5m",
                "service": "reviews.bookinfo",
                "instances": {"podTemplateHash": "6c85f7bf4"},
            }
        }
    },
}
"""A metric that the mock OAP's scenario healthy-canary fulfils."""

CHART = ROOT / "charts" / "skywalking-provider"
COMPONENT = ROOT / "kustomize" / "beside-the-controller"
CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
SIDECAR = CHART / "ci" / "sidecar-values.yaml"
ORDINARY = CHART / "ci" / "sidecar-ordinary-values.yaml"
DEPLOYMENT = CHART / "ci" / "deployment-values.yaml"
OVER_HTTP = CHART / "ci" / "deployment-http-values.yaml"
RELEASE = CHART / "ci" / "deployment-release-values.yaml"
EVERYTHING = CHART / "ci" / "deployment-everything-values.yaml"
HELMS = ("helm", "helm-3")
KUBERNETES = "1.31.0"
PRINT_VALUES_ARGUMENTS = ("--set=argoRollouts.printValues=true", "--show-only=templates/argo-rollouts-values.yaml")


class HelmError(Exception):
    """Error output of Helm or kustomize."""


def run_tool(program: str, *arguments: str, stdin: str | None = None) -> str:
    path = ROOT / ".cache" / "bin" / program
    assert path.exists(), f"{path} is missing. Run `make chart-tools`."
    done = subprocess.run([path, *arguments], input=stdin, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise HelmError(done.stderr)
    return done.stdout


def helm_template(
    *values: Path | dict[str, Any],
    release: str = "skywalking-provider",
    namespace: str = "argo-rollouts",
    kubernetes: str = KUBERNETES,
    helm: str = "helm",
    arguments: tuple[str, ...] = (),
) -> str:
    """Return the output of `helm template`. Dictionaries are passed as values, since JSON is YAML."""
    files = [str(each) for each in values if isinstance(each, Path)]
    texts = [each for each in values if isinstance(each, dict)]
    assert len(texts) <= 1, "only one dictionary can be passed, by standard input"
    return run_tool(
        helm,
        "template",
        release,
        str(CHART),
        f"--namespace={namespace}",
        f"--kube-version={kubernetes}",
        *(f"--values={file}" for file in files),
        *(["--values=-"] if texts else []),
        *arguments,
        stdin=json.dumps(texts[0]) if texts else None,
    )


class RenderedObjects:
    """Rendered objects, accessible by kind and name."""

    def __init__(self, text: str) -> None:
        self.all: list[dict[str, Any]] = [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]

    def kinds(self) -> list[str]:
        return sorted({each["kind"] for each in self.all})

    def names(self, kind: str) -> list[str]:
        return sorted(each["metadata"]["name"] for each in self.all if each["kind"] == kind)

    def get(self, kind: str, name: str = "skywalking-provider") -> dict[str, Any]:
        found = [each for each in self.all if each["kind"] == kind and each["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind}/{name}"
        return found[0]


def values_id(path: Path) -> str:
    """Return the test ID for a values file of ci/."""
    return path.name.removesuffix("-values.yaml")


def pod_specs(objects: RenderedObjects) -> list[dict[str, Any]]:
    """Return the pod specifications of the Deployments."""
    return [each["spec"]["template"]["spec"] for each in objects.all if each["kind"] == "Deployment"]


def render(*values: Path | dict[str, Any], **options: Any) -> RenderedObjects:
    return RenderedObjects(helm_template(*values, **options))


def values_for_argo(*values: Path | dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return the values that the chart writes for the stock argo-rollouts chart."""
    arguments = (*options.pop("arguments", ()), *PRINT_VALUES_ARGUMENTS)
    parsed: dict[str, Any] = yaml.safe_load(helm_template(*values, arguments=arguments, **options))
    return parsed


@cache
def argo_manifests() -> Path:
    """Return the folder of Argo Rollouts' manifests in the Go module that the bridge is built with."""
    module = ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-rollouts"]
    environment = os.environ | {"GOTOOLCHAIN": "auto"}
    found = subprocess.run(module, cwd=ROOT / "bridge", env=environment, capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()) / "manifests"


def argo_deployment() -> dict[str, Any]:
    deployment: dict[str, Any] = yaml.safe_load(
        (argo_manifests() / "base" / "argo-rollouts-deployment.yaml").read_text()
    )
    return deployment


def apply_stock_chart_values(values: dict[str, Any], deployment: dict[str, Any]) -> dict[str, Any]:
    """Return Argo's Deployment with values applied as by the stock chart's templates."""
    patched = deepcopy(deployment)
    pod = patched["spec"]["template"]["spec"]
    controller = values["controller"]
    pod["containers"][0]["volumeMounts"] += controller.get("volumeMounts") or []
    pod["containers"] += controller.get("extraContainers") or []
    if controller.get("initContainers"):
        pod["initContainers"] = controller["initContainers"]
    pod["volumes"] += controller.get("volumes") or []
    pod["securityContext"] = values.get("podSecurityContext", {"runAsNonRoot": True})
    return patched


def build_overlay(folder: Path, overlay: dict[str, Any]) -> RenderedObjects:
    """Build an overlay of the component over Argo's manifests, copied beside it: kustomize rejects absolute paths."""
    shutil.copytree(argo_manifests(), folder / "manifests")
    shutil.copytree(COMPONENT, folder / "component")
    (folder / "overlay").mkdir(exist_ok=True)
    resources = {"resources": ["../manifests/cluster-install"], "components": ["../component"]}
    (folder / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump(overlay | resources))
    return RenderedObjects(run_tool("kustomize", "build", str(folder / "overlay")))


def find_by_name(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    found = [each for each in items if each["name"] == name]
    assert len(found) == 1, f"{len(found)} of {name} among {[each['name'] for each in items]}"
    return found[0]
