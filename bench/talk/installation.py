"""Installation by Argo CD: the Applications of examples/argo-cd, with their repository in place of the public ones."""

import shutil
from pathlib import Path

import yaml

from bench.argo_chart import write_argo_chart
from bench.talk.manifests import ROOT
from bench.talk.mesh import Object

APPLICATIONS = ("skywalking-provider", "argo-rollouts")
"""Applications in the order of their installation."""
BOOKINFO = "bookinfo"
_EXAMPLES = ROOT / "examples" / "argo-cd"
_STOCK_CHART = "charts/argo-rollouts"
_SETTLE = "15s"
"""Settle delay of the backend. The lab's OAP stores every second, a usual one every 25 s, for which the default is."""
_KINDS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret", "Service")


def write_installation(repository: Path, argo_manifests: Path) -> None:
    """Write what the Applications refer to: this project's chart, the example's values, and a chart for Argo Rollouts.

    The backend in the values has a shorter settle delay.

    Args:
        repository: Folder of the repository.
        argo_manifests: Argo's file install.yaml.
    """
    for part in ("charts/skywalking-provider", "examples/argo-cd"):
        shutil.copytree(ROOT / part, repository / part)
    file = repository / "examples/argo-cd/values.yaml"
    values = yaml.safe_load(file.read_text())
    values["backends"]["prod"]["settle"] = _SETTLE
    file.write_text(yaml.safe_dump(values))
    objects = [one for one in yaml.safe_load_all(argo_manifests.read_text()) if one]
    write_argo_chart(repository / _STOCK_CHART, objects, _KINDS)


def read_application(name: str, url: str) -> Object:
    """Read an Application of the examples, with another repository.

    Args:
        name: Name of the Application.
        url: URL of the repository that replaces all others.
    """
    application: Object = yaml.safe_load((_EXAMPLES / f"{name}.yaml").read_text())
    spec = application["spec"]
    for source in spec.get("sources") or [spec["source"]]:
        source["repoURL"] = url
        if source.pop("chart", None):
            source |= {"path": _STOCK_CHART, "targetRevision": "main"}
    return application


def credentials() -> list[Object]:
    """Return the Secret of the example with its namespace. The lab's OAP accepts every password."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argo-rollouts"}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "oap-credentials", "namespace": "argo-rollouts"},
            "stringData": {"password": "lab"},
        },
    ]
