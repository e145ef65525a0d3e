"""A real API server takes every object that the chart renders, and Argo's Deployment as our values change it."""

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
    """The lab's API server with the definitions of cert-manager and the Prometheus operator."""
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


def test_every_object_of_the_chart_is_stored_as_it_was_rendered_and_its_pods_are_admitted(
    cluster: Kubectl, values: Path
) -> None:
    here = create_namespace(cluster, f"chart-{values_id(values)}")
    rendered = render(values, namespace=here.namespace).all

    here.apply(rendered)

    assert find_object_differences(here, rendered) == []
    for each in rendered:
        if each["kind"] == "Deployment":
            wait_until_available(here, each["metadata"]["name"])


def test_argos_own_deployment_keeps_all_that_our_values_add(cluster: Kubectl, values: Path) -> None:
    here = create_namespace(cluster, f"argo-{values_id(values)}")
    ours = values_for_argo(values, namespace=here.namespace)
    patched = apply_stock_chart_values(ours, argo_deployment())

    here.apply([patched])

    stored = here.get("Deployment", "argo-rollouts")
    assert find_differences(patched, stored) == []
    pod, controller = stored["spec"]["template"]["spec"], ours["controller"]
    [argo, *others] = pod["containers"]
    assert argo["name"] == "argo-rollouts"
    assert arguments(pod.get("initContainers", [])) == arguments(controller.get("initContainers", []))
    assert arguments(others) == arguments(controller.get("extraContainers", []))
    assert mounts(argo) >= mounts({"volumeMounts": controller["volumeMounts"]})
    assert {each["name"] for each in pod["volumes"]} >= {each["name"] for each in controller["volumes"]}
    assert pod["securityContext"].items() >= ours["podSecurityContext"].items()
    wait_until_available(here, "argo-rollouts")
