"""Chart in place of the stock argo-rollouts chart, whose controller only watches its own namespace.

So several controllers run in one cluster.
"""

from functools import cache
from pathlib import Path

from bench import argo_chart
from tests.e2e.kubectl import Object
from tests.install.install_tools import RenderedObjects, argo_manifests, run_tool

ARGO_CRDS = "manifests/argo-1.10-crds.yaml"
# Cluster roles would belong to several releases.
KINDS = ("ServiceAccount", "Role", "RoleBinding", "Secret")


@cache
def build_argo_objects() -> list[Object]:
    """Build Argo's manifests for a controller of one namespace, once in a test run."""
    return RenderedObjects(run_tool("kustomize", "build", str(argo_manifests() / "namespace-install"))).all


def write_argo_chart(folder: Path) -> None:
    """Write the chart to a folder."""
    argo_chart.write_argo_chart(folder, build_argo_objects(), KINDS)
