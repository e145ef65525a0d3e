"""The chart's objects and Argo's Deployment with the chart's values, applied to a real API server."""

from pathlib import Path

import pytest

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.lab import Lab
from tests.e2e.stored_objects import (
    create_namespace,
    find_differences,
    find_object_differences,
    wait_until_available,
)
from tests.install.install_tools import (
    CI_VALUES,
    apply_stock_chart_values,
    argo_deployment,
    render,
    values_for_argo,
    values_id,
)


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Kubectl:
    """Provide the lab's API server with the CRDs of cert-manager and the Prometheus operator."""
    lab.kubectl.run("apply", "--server-side", "-f", str(lab.home / "manifests/others-crds.yaml"))
    established = ("wait", "--for", "condition=Established", "--timeout", "20s")
    lab.kubectl.run(*established, "crd/certificates.cert-manager.io", "crd/servicemonitors.monitoring.coreos.com")
    return lab.kubectl


@pytest.fixture(params=CI_VALUES, ids=values_id)
def values(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def arguments(containers: list[Object]) -> list[tuple[str, list[str]]]:
    return [(each["name"], each["args"]) for each in containers]


def mounts(container: Object) -> set[tuple[str, str]]:
    return {(each["name"], each["mountPath"]) for each in container["volumeMounts"]}


def test_chart_objects_are_stored_as_rendered_and_pods_are_admitted(cluster: Kubectl, values: Path) -> None:
    kubectl = create_namespace(cluster, f"chart-{values_id(values)}")
    rendered = render(values, namespace=kubectl.namespace).all

    kubectl.apply(rendered)

    assert find_object_differences(kubectl, rendered) == []
    for each in rendered:
        if each["kind"] == "Deployment":
            wait_until_available(kubectl, each["metadata"]["name"])


def test_argo_deployment_keeps_everything_that_the_values_add(cluster: Kubectl, values: Path) -> None:
    kubectl = create_namespace(cluster, f"argo-{values_id(values)}")
    argo_values = values_for_argo(values, namespace=kubectl.namespace)
    patched = apply_stock_chart_values(argo_values, argo_deployment())

    kubectl.apply([patched])

    stored = kubectl.get("Deployment", "argo-rollouts")
    assert find_differences(patched, stored) == []
    pod, controller = stored["spec"]["template"]["spec"], argo_values["controller"]
    [argo, *others] = pod["containers"]
    assert argo["name"] == "argo-rollouts"
    assert arguments(pod.get("initContainers", [])) == arguments(controller.get("initContainers", []))
    assert arguments(others) == arguments(controller.get("extraContainers", []))
    assert mounts(argo) >= mounts({"volumeMounts": controller.get("volumeMounts", [])})
    assert {each["name"] for each in pod["volumes"]} >= {each["name"] for each in controller.get("volumes", [])}
    assert pod["securityContext"].items() >= argo_values.get("podSecurityContext", {}).items()
    wait_until_available(kubectl, "argo-rollouts")
