"""Chart that stands for the stock argo-rollouts chart, which is in no package registry.

It consists of Argo's own manifests and of the values that docs/install.md sets.
"""

from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

IMAGE = "quay.io/argoproj/argo-rollouts:v1.10.2"
_DEPLOYMENT = """
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
{{- $checksum := toYaml .Values.controller.metricProviderPlugins | sha256sum }}
{{- $_ := set $deployment.spec.template.metadata "annotations" (dict "checksum/cm" $checksum) }}
{{ toYaml $deployment }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argo-rollouts-config}
data:
  metricProviderPlugins: |
    {{- toYaml .Values.controller.metricProviderPlugins | nindent 4 }}
"""
# The stock chart's probe, without its delay. Argo's manifests have none.
_READINESS = {"httpGet": {"path": "/metrics", "port": "metrics"}, "periodSeconds": 1, "timeoutSeconds": 4}
_VALUES = {"controller": {"metricProviderPlugins": []}, "podSecurityContext": {"runAsNonRoot": True}}


def write_argo_chart(folder: Path, objects: Iterable[Object], kinds: Iterable[str]) -> None:
    """Write the chart to a folder.

    Args:
        folder: Folder of the chart, which is created.
        objects: Argo's manifests.
        kinds: Kinds of objects that the chart contains beside the Deployment and the ConfigMap with the plugins.
    """
    manifests = list(objects)
    [deployment] = [deepcopy(each) for each in manifests if each["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": IMAGE, "imagePullPolicy": "IfNotPresent", "readinessProbe": _READINESS}
    others = [each for each in manifests if each["kind"] in set(kinds)]
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(
        yaml.safe_dump({"apiVersion": "v2", "name": "argo-rollouts", "version": "2.0.0"})
    )
    (folder / "values.yaml").write_text(yaml.safe_dump(_VALUES))
    (folder / "deployment.yaml").write_text(yaml.safe_dump(deployment))
    (folder / "templates" / "deployment.yaml").write_text(_DEPLOYMENT)
    # Only the Deployment is a template.
    (folder / "others.yaml").write_text(yaml.safe_dump_all(others))
    (folder / "templates" / "others.yaml").write_text('{{ .Files.Get "others.yaml" }}\n')
