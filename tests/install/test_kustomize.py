"""Kustomize component on Argo's manifests; it produces the same pod as the chart's values."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from skywalking_provider.config import load_config
from tests.install.install_tools import (
    ROOT,
    SIDECAR,
    RenderedObjects,
    apply_stock_chart_values,
    argo_deployment,
    argo_manifests,
    build_overlay,
    find_by_name,
    run_tool,
    values_for_argo,
)

EXAMPLE = ROOT / "examples" / "kustomize"


@pytest.fixture(scope="module")
def component(tmp_path_factory: pytest.TempPathFactory) -> RenderedObjects:
    folder = tmp_path_factory.mktemp("component")
    (folder / "overlay").mkdir()
    shutil.copy(EXAMPLE / "config.yaml", folder / "overlay")
    generator = {"name": "skywalking-provider", "files": ["config.yaml"]}
    return build_overlay(folder, {"configMapGenerator": [generator]})


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> RenderedObjects:
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "overlay")
    return build_overlay(folder, yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text()))


def get_pod(objects: RenderedObjects) -> dict[str, Any]:
    pod: dict[str, Any] = objects.get("Deployment", "argo-rollouts")["spec"]["template"]["spec"]
    return pod


def config_map(objects: RenderedObjects) -> dict[str, Any]:
    [name] = [name for name in objects.names("ConfigMap") if name.startswith("skywalking-provider-")]
    return objects.get("ConfigMap", name)


def comparable_pod(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a pod without the parts that may differ.

    These are the checksum of the configuration, and a field that the stock chart has no value for.
    """
    pod = yaml.safe_load(yaml.safe_dump(pod))
    pod.pop("enableServiceLinks", None)
    find_by_name(pod["volumes"], "skywalking-provider-config")["configMap"]["name"] = "the one"
    for container in pod["initContainers"]:
        container.pop("env", None)
    for container in pod["initContainers"] + pod["containers"]:
        container["volumeMounts"].sort(key=lambda mount: mount["mountPath"])
    for items in (pod["volumes"], pod["containers"], pod["initContainers"]):
        items.sort(key=lambda item: item["name"])
    return pod


def test_component_produces_the_same_pod_as_the_chart(component: RenderedObjects) -> None:
    values = values_for_argo({"backends": {"default": {"url": "http://oap:12800"}}})
    by_helm = apply_stock_chart_values(values, argo_deployment())["spec"]["template"]["spec"]

    assert comparable_pod(get_pod(component)) == comparable_pod(by_helm)


def test_component_registers_the_same_plugin_as_the_chart(component: RenderedObjects) -> None:
    values = values_for_argo(SIDECAR)
    plugins = yaml.safe_load(component.get("ConfigMap", "argo-rollouts-config")["data"]["metricProviderPlugins"])

    assert plugins == values["controller"]["metricProviderPlugins"]


def test_component_changes_nothing_else_in_argos_manifests(component: RenderedObjects) -> None:
    plain = RenderedObjects(run_tool("kustomize", "build", str(argo_manifests() / "cluster-install")))
    changed = [each for each in component.all if each not in plain.all]

    assert sorted(each["metadata"]["name"].split("-provider-")[0] for each in changed) == [
        "argo-rollouts",
        "argo-rollouts-config",
        "skywalking",
    ]


def test_component_keeps_the_controllers_fields(component: RenderedObjects) -> None:
    [container] = argo_deployment()["spec"]["template"]["spec"]["containers"]
    [patched] = get_pod(component)["containers"]

    assert all(mount in patched["volumeMounts"] for mount in container["volumeMounts"])
    assert {key: value for key, value in patched.items() if key != "volumeMounts"} == {
        key: value for key, value in container.items() if key != "volumeMounts"
    }
    assert get_pod(component)["securityContext"] == {"runAsNonRoot": True, "fsGroup": 999}


def test_component_pod_has_no_variables_of_services(component: RenderedObjects) -> None:
    assert get_pod(component)["enableServiceLinks"] is False


def test_component_orders_bridge_service_and_controller(
    component: RenderedObjects,
) -> None:
    assert [each["name"] for each in get_pod(component)["initContainers"]] == [
        "skywalking-provider-bridge",
        "skywalking-provider",
    ]


@pytest.mark.parametrize("objects", ["component", "example"])
def test_component_configuration_is_accepted_by_the_service(
    objects: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    built: RenderedObjects = request.getfixturevalue(objects)
    (tmp_path / "config.yaml").write_text(config_map(built)["data"]["config.yaml"])

    assert str(load_config(tmp_path / "config.yaml", {}, {}).socket) == "/run/skywalking/provider.sock"
    mounted = find_by_name(get_pod(built)["volumes"], "skywalking-provider-config")["configMap"]["name"]
    assert mounted == config_map(built)["metadata"]["name"]


def test_kustomize_example_has_backend_and_credentials(example: RenderedObjects) -> None:
    pod = get_pod(example)
    service = find_by_name(pod["initContainers"], "skywalking-provider")

    config = yaml.safe_load(config_map(example)["data"]["config.yaml"])
    password = Path(config["backends"]["prod"]["basic"]["passwordFile"])
    mount = find_by_name(service["volumeMounts"], "oap-credentials")
    assert str(password.parent) == mount["mountPath"]
    assert find_by_name(pod["volumes"], "oap-credentials")["secret"]["secretName"] == "oap-credentials"


def test_kustomize_example_uses_the_tested_argo_rollouts() -> None:
    [resource] = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())["resources"]

    assert resource.endswith(f"?ref={argo_manifests().parent.name.split('@')[1]}")
