"""Chart that stands for the stock argo-rollouts chart: Argo's manifests, and the values that docs/install.md sets.

The controller only watches its own namespace, so that several controllers run in one cluster.
"""

from copy import deepcopy
from functools import cache
from pathlib import Path

import yaml

from tests.e2e.kubectl import Object
from tests.install.install_tools import RenderedObjects, argo_manifests, run_tool

ARGO_CRDS = "manifests/argo-1.10-crds.yaml"
IMAGE = "quay.io/argoproj/argo-rollouts:v1.10.2"
DEPLOYMENT = """
{{- $deployment := .Files.Get "deployment.yaml" | fromYaml }}
{{- $pod := $deployment.spec.template.spec }}
{{- $argo := index $pod.containers 0 }}
{{- with .Values.controller }}
{{- $_ := set $argo "volumeMounts" (concat $argo.volumeMounts (.volumeMounts | default list)) }}
{{- $_ := set $pod "containers" (concat (list $argo) (.extraContainers | default list)) }}
{{- $_ := set $pod "initContainers" (.initContainers | default list) }}
{{- $_ := set $pod "volumes" (concat $pod.volumes (.volumes | default list)) }}
{{- end }}
{{- $_ := set $pod "securityContext" .Values.podSecurityContext }}
{{ toYaml $deployment }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argo-rollouts-config}
data:
  metricProviderPlugins: |
    {{- toYaml .Values.controller.metricProviderPlugins | nindent 4 }}
"""
VALUES = {"controller": {"metricProviderPlugins": []}, "podSecurityContext": {"runAsNonRoot": True}}


@cache
def build_argo_objects() -> list[Object]:
    """Build Argo's manifests for a controller of one namespace, once in a test run."""
    return RenderedObjects(run_tool("kustomize", "build", str(argo_manifests() / "namespace-install"))).all


def write_argo_chart(folder: Path) -> None:
    """Write the chart to a folder."""
    objects = deepcopy(build_argo_objects())
    [deployment] = [each for each in objects if each["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    # Cluster roles would belong to several releases; the ConfigMap has the plugins.
    others = [each for each in objects if each["kind"] in ("ServiceAccount", "Role", "RoleBinding", "Secret")]
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(
        yaml.safe_dump({"apiVersion": "v2", "name": "argo-rollouts", "version": "2.0.0"})
    )
    (folder / "values.yaml").write_text(yaml.safe_dump(VALUES))
    (folder / "deployment.yaml").write_text(yaml.safe_dump(deployment))
    (folder / "templates" / "deployment.yaml").write_text(DEPLOYMENT)
    (folder / "templates" / "others.yaml").write_text(yaml.safe_dump_all(others))
