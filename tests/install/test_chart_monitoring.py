"""Monitoring objects of the chart: ServiceMonitor, alerts, dashboard and the doctor of `helm test`."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from skywalking_provider.cli import app
from tests.install.install_tools import CHART, CI_VALUES, DEPLOYMENT, SIDECAR, pod_specs, render, values_id


def test_service_monitor_selects_the_metrics_service_in_both_modes() -> None:
    for values in (SIDECAR, DEPLOYMENT):
        objects = render(values, arguments=("--set=metrics.serviceMonitor.enabled=true",))
        monitor = objects.get("ServiceMonitor")["spec"]
        service = objects.get("Service", "skywalking-provider-http")
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [port["name"] for port in service["spec"]["ports"]] == [monitor["endpoints"][0]["port"]]


def test_rules_and_dashboard_equal_the_charts_files() -> None:
    objects = render(DEPLOYMENT)
    rules = [yaml.safe_load(file.read_text()) for file in sorted((CHART / "alerts").glob("*.yaml"))]
    dashboards = {file.name: json.loads(file.read_text()) for file in (CHART / "dashboards").glob("*.json")}
    config_map = objects.get("ConfigMap", "skywalking-provider-dashboard")

    groups = objects.get("PrometheusRule")["spec"]["groups"]
    assert groups == [group for each in rules for group in each["groups"]]
    assert groups
    assert {name: json.loads(text) for name, text in config_map["data"].items()} == dashboards
    assert dashboards
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_helm_test_runs_the_doctor_in_a_separate_pod(values: Path, tmp_path: Path) -> None:
    objects = render(values)
    pod = objects.get("Pod", "skywalking-provider-doctor")
    [doctor] = pod["spec"]["containers"]

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    for running in pod_specs(objects):  # the doctor has every mount of the service
        missing = {mount["mountPath"] for mount in running["containers"][0]["volumeMounts"]}
        missing -= {mount["mountPath"] for mount in doctor["volumeMounts"]}
        assert missing == set()
        assert pod["spec"].get("initContainers") == running.get("initContainers")
    assert {mount["name"] for mount in doctor["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}
    for service in (each for each in objects.all if each["kind"] == "Service"):
        assert not service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    command, config, *rest = doctor["args"]
    assert config == "--config=/etc/skywalking-provider/config.yaml"
    file = tmp_path / "config.yaml"
    file.write_text("{socket: /nowhere.sock, backends: {prod: {url: 'http://127.0.0.1:9'}}}")
    result = CliRunner().invoke(app, [command, f"--config={file}", *rest])
    assert result.exit_code == 3, result.output  # valid command line, no OAP


@pytest.mark.parametrize(
    ("helm", "policy"),
    [("helm", "before-hook-creation,hook-succeeded"), ("helm-3", "before-hook-creation")],  # helm is 4.2
)
def test_helm_test_pod_goes_after_its_log_is_read(helm: str, policy: str) -> None:
    pod = render(SIDECAR, helm=helm).get("Pod", "skywalking-provider-doctor")

    assert pod["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == policy


def test_helm_test_of_a_deployment_connects_as_the_bridge_does() -> None:
    objects = render(DEPLOYMENT)
    [doctor] = objects.get("Pod", "skywalking-provider-doctor")["spec"]["containers"]
    values = yaml.safe_load(objects.get("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"])
    [plugin] = values["controller"]["metricProviderPlugins"]

    doctor_flags = {argument for argument in doctor["args"] if argument.startswith("--tls")}
    assert doctor_flags == {argument for argument in plugin["args"] if argument.startswith("--tls")}
    assert "--address=skywalking-provider.argo-rollouts.svc:9500" in doctor["args"]
