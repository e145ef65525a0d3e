"""Values that the chart writes for the stock argo-rollouts chart, applied to Argo's Deployment."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.install.install_tools import (
    CI_VALUES,
    DEPLOYMENT,
    EVERYTHING,
    ORDINARY,
    ROOT,
    SIDECAR,
    apply_stock_chart_values,
    argo_deployment,
    find_by_name,
    render,
    values_for_argo,
)

# Keys of the stock chart that this chart sets; all other keys belong to the user.
KEYS = {"metricProviderPlugins", "initContainers", "extraContainers", "volumes", "volumeMounts"}


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_values_use_only_keys_of_the_stock_chart(values: Path) -> None:
    written = values_for_argo(values)

    assert written.keys() <= {"controller", "podSecurityContext"}
    assert written["controller"].keys() <= KEYS


def apply_values(values: Path, **changed: Any) -> dict[str, Any]:
    pod: dict[str, Any] = apply_stock_chart_values(values_for_argo(values, changed), argo_deployment())["spec"][
        "template"
    ]["spec"]
    return pod


def test_values_register_one_plugin_with_arguments() -> None:
    assert values_for_argo(SIDECAR)["controller"]["metricProviderPlugins"] == [
        {
            "name": "skywalking/metrics",
            "location": "file:///plugins/skywalking/skywalking-bridge",
            "args": ["--socket=/run/skywalking/provider.sock", "--outage-grace=5m", "--run-timeout=15s"],
        }
    ]


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_values_plugin_arguments_are_accepted_by_the_bridge(values: Path) -> None:
    [plugin] = values_for_argo(values)["controller"]["metricProviderPlugins"]
    bridge = ROOT / ".cache" / "bin" / "skywalking-bridge"
    done = subprocess.run([bridge, *plugin["args"]], capture_output=True, text=True, timeout=30, check=False)

    # Invalid arguments exit with status 2. Valid ones exit with the plugin library's advice not to run it by hand.
    assert "This binary is a plugin" in done.stdout + done.stderr


def test_values_order_bridge_service_and_controller() -> None:
    pod = apply_values(SIDECAR)

    assert [each["name"] for each in pod["containers"]] == ["argo-rollouts"]
    bridge, service = pod["initContainers"]
    assert bridge["args"] == ["bridge", "--to", "/plugins/skywalking/skywalking-bridge"]
    assert "restartPolicy" not in bridge
    assert service["restartPolicy"] == "Always"
    assert service["args"] == ["serve", "--config=/etc/skywalking-provider/config.yaml"]
    assert service["startupProbe"]["httpGet"] == {"path": "/readyz", "port": 9464}
    assert service["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 9464}
    assert bridge["image"] == service["image"] == "registry.example.org/skywalking-provider:0.1.0"


def test_values_controller_mounts_only_bridge_and_socket() -> None:
    pod = apply_values(SIDECAR)
    [controller] = pod["containers"]

    mounts = {mount["mountPath"]: mount for mount in controller["volumeMounts"]}
    added_mounts = mounts.keys() - {"/home/argo-rollouts/plugin-bin", "/tmp"}  # noqa: S108
    assert added_mounts == {"/plugins/skywalking", "/run/skywalking"}
    assert mounts["/plugins/skywalking"]["readOnly"] is True
    assert pod["securityContext"] == {"runAsNonRoot": True, "fsGroup": 999}


@pytest.mark.parametrize("values", [SIDECAR, ORDINARY, DEPLOYMENT], ids=lambda path: path.stem)
def test_values_mounts_and_volumes_match(values: Path) -> None:
    pod = apply_values(values)
    volumes = [volume["name"] for volume in pod["volumes"]]
    containers = pod["containers"] + pod["initContainers"]

    assert len(volumes) == len(set(volumes))
    assert {mount["name"] for each in containers for mount in each["volumeMounts"]} == set(volumes)


def test_values_share_the_socket_folder_but_not_the_token() -> None:
    pod = apply_values(SIDECAR)
    service = find_by_name(pod["initContainers"], "skywalking-provider")

    assert find_by_name(pod["volumes"], "skywalking-provider-run")["emptyDir"] == {
        "medium": "Memory",
        "sizeLimit": "1Mi",
    }
    writable = [mount["mountPath"] for mount in service["volumeMounts"] if not mount.get("readOnly")]
    assert sorted(writable) == ["/run/skywalking", "/tmp"]  # noqa: S108
    assert service["securityContext"]["readOnlyRootFilesystem"] is True
    assert service["securityContext"]["runAsUser"] == 999


def test_values_credentials_come_from_existing_secrets() -> None:
    pod = apply_values(SIDECAR)
    service = find_by_name(pod["initContainers"], "skywalking-provider")
    [mount] = [each for each in service["volumeMounts"] if each["mountPath"].startswith("/etc/skywalking-provider/sec")]

    assert mount["mountPath"] == "/etc/skywalking-provider/secrets/oap-credentials"
    assert find_by_name(pod["volumes"], mount["name"])["secret"] == {
        "secretName": "oap-credentials",
        "defaultMode": 0o440,
    }


def test_values_without_native_sidecar_use_an_ordinary_container() -> None:
    pod = apply_values(ORDINARY)

    assert [each["name"] for each in pod["initContainers"]] == ["skywalking-provider-bridge"]
    service = find_by_name(pod["containers"], "skywalking-provider")
    assert "restartPolicy" not in service
    assert service["startupProbe"]["httpGet"] == {"path": "/readyz", "port": 9464}


def test_values_of_a_deployment_mount_bridge_and_certificate() -> None:
    pod = apply_values(DEPLOYMENT)
    [plugin] = values_for_argo(DEPLOYMENT)["controller"]["metricProviderPlugins"]

    assert [each["name"] for each in pod["initContainers"]] == ["skywalking-provider-bridge"]
    assert find_by_name(pod["volumes"], "skywalking-provider-bridge-tls")["secret"]["secretName"] == (
        "skywalking-provider-bridge"
    )
    assert plugin["args"] == [
        "--address=dns:///skywalking-provider.argo-rollouts.svc:9500",
        "--tls-ca=/etc/skywalking-bridge/tls/ca.crt",
        "--tls-cert=/etc/skywalking-bridge/tls/tls.crt",
        "--tls-key=/etc/skywalking-bridge/tls/tls.key",
        "--tls-server-name=skywalking-provider.argo-rollouts.svc",
        "--outage-grace=5m",
        "--run-timeout=15s",
    ]


def test_values_without_tls_set_insecure() -> None:
    [plugin] = values_for_argo(EVERYTHING)["controller"]["metricProviderPlugins"]

    assert plugin["name"] == "acme/skywalking"
    assert plugin["args"] == [
        "--address=dns:///skywalking-provider.argo-rollouts.svc:9500",
        "--insecure",
        "--outage-grace=10m",
        "--run-timeout=12s",
    ]


def test_values_configuration_change_restarts_the_controller() -> None:
    def render_changed(changed: dict[str, Any]) -> dict[str, Any]:
        return values_for_argo(SIDECAR, changed)

    assert render_changed({}) == render_changed({"replicaCount": 7})
    assert render_changed({}) != render_changed({"backends": {"prod": {"timeout": "3s"}}})


# -- merging into current values -------------------------------------------------------------------------------------

CURRENT_VALUES = {
    "dashboard": {"enabled": True},
    "podSecurityContext": {"fsGroup": 2000, "runAsUser": 1000},
    "controller": {
        "replicas": 3,
        "metricProviderPlugins": [{"name": "other/plugin", "location": "file:///other"}],
        "volumes": [{"name": "skywalking-agent", "emptyDir": {}}],
        "volumeMounts": [{"name": "skywalking-agent", "mountPath": "/agent"}],
        "initContainers": [{"name": "theirs", "image": "busybox"}],
    },
}


def merge_into_current(
    tmp_path: Path, current: dict[str, Any] | None, values: Path = SIDECAR, *more: str
) -> dict[str, Any]:
    file = tmp_path / "current.yaml"
    file.write_text(yaml.safe_dump(current))
    return values_for_argo(values, arguments=(f"--set-file=argoRollouts.currentValues={file}", *more))


def test_values_current_entries_are_kept(tmp_path: Path) -> None:
    written = merge_into_current(tmp_path, CURRENT_VALUES)
    controller = written["controller"]

    assert written["dashboard"] == {"enabled": True}
    assert controller["replicas"] == 3
    assert [each["name"] for each in controller["metricProviderPlugins"]] == ["other/plugin", "skywalking/metrics"]
    assert find_by_name(controller["volumes"], "skywalking-agent")
    assert controller["volumeMounts"][0] == {"name": "skywalking-agent", "mountPath": "/agent"}
    assert controller["initContainers"][0]["name"] == "theirs"
    assert written["podSecurityContext"] == {"fsGroup": 2000, "runAsUser": 1000, "runAsNonRoot": True}


def test_values_rendered_twice_are_not_duplicated(tmp_path: Path) -> None:
    once = merge_into_current(tmp_path, CURRENT_VALUES)

    assert merge_into_current(tmp_path, once) == once


MORE = (
    '--set-json=extraVolumes=[{"name": "cache", "emptyDir": {}}]',
    '--set-json=extraVolumeMounts=[{"name": "cache", "mountPath": "/var/cache"}]',
)


def test_values_extra_volumes_are_replaced_and_removed(tmp_path: Path) -> None:
    once = merge_into_current(tmp_path, CURRENT_VALUES, SIDECAR, *MORE)

    assert find_by_name(once["controller"]["volumes"], "cache")
    assert merge_into_current(tmp_path, once, SIDECAR, *MORE) == once
    left = merge_into_current(tmp_path, once, SIDECAR, *MORE, "--set=argoRollouts.uninstall=true")
    assert left["controller"]["volumes"] == CURRENT_VALUES["controller"]["volumes"]


def test_values_mode_change_removes_the_old_entries(tmp_path: Path) -> None:
    before = merge_into_current(tmp_path, CURRENT_VALUES)

    after = merge_into_current(tmp_path, before, DEPLOYMENT)

    assert after == merge_into_current(tmp_path, CURRENT_VALUES, DEPLOYMENT)


@pytest.mark.parametrize("values", [SIDECAR, DEPLOYMENT], ids=lambda path: path.stem)
def test_values_uninstall_keeps_other_entries(tmp_path: Path, values: Path) -> None:
    merged = merge_into_current(tmp_path, CURRENT_VALUES, values)

    left = merge_into_current(tmp_path, merged, values, "--set=argoRollouts.uninstall=true")

    assert left["controller"].pop("extraContainers", []) == []
    assert left["controller"] == CURRENT_VALUES["controller"]
    assert left["dashboard"] == CURRENT_VALUES["dashboard"]


def test_values_uninstall_keeps_the_fs_group(tmp_path: Path) -> None:
    uninstall = "--set=argoRollouts.uninstall=true"

    for current in ({}, {"podSecurityContext": {"fsGroup": 999}}):
        left = merge_into_current(tmp_path, merge_into_current(tmp_path, current), SIDECAR, uninstall)
        assert left["podSecurityContext"] == {"fsGroup": 999, "runAsNonRoot": True}


def test_values_uninstall_without_current_values_is_empty(tmp_path: Path) -> None:
    assert merge_into_current(tmp_path, None) == values_for_argo(SIDECAR)


def test_values_are_printed_or_written_to_a_config_map() -> None:
    kept = render(SIDECAR).get("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"]

    assert yaml.safe_load(kept) == values_for_argo(SIDECAR)
