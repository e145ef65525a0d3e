"""What the chart brings for those who watch: metrics, alerts, the dashboard, and the doctor of `helm test`."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from skywalking_provider.cli import app
from tests.install.install_tools import CHART, CI_VALUES, DEPLOYMENT, SIDECAR, pod_specs, render, values_id


def test_prometheus_finds_metrics_in_both_ways() -> None:
    for values in (SIDECAR, DEPLOYMENT):
        objects = render(values, arguments=("--set=metrics.serviceMonitor.enabled=true",))
        monitor = objects.get("ServiceMonitor")["spec"]
        service = objects.get("Service", "skywalking-provider-http")
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [port["name"] for port in service["spec"]["ports"]] == [monitor["endpoints"][0]["port"]]


def test_the_rules_and_the_dashboard_are_the_charts_files() -> None:
    objects = render(DEPLOYMENT)
    rules = [yaml.safe_load(file.read_text()) for file in sorted((CHART / "alerts").glob("*.yaml"))]
    dashboards = {file.name: json.loads(file.read_text()) for file in (CHART / "dashboards").glob("*.json")}
    shown = objects.get("ConfigMap", "skywalking-provider-dashboard")

    groups = objects.get("PrometheusRule")["spec"]["groups"]
    assert groups == [group for each in rules for group in each["groups"]]
    assert groups
    assert {name: json.loads(text) for name, text in shown["data"].items()} == dashboards
    assert dashboards
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_helm_test_asks_the_doctor_in_a_pod_that_is_none_of_the_service(values: Path, tmp_path: Path) -> None:
    objects = render(values)
    pod = objects.get("Pod", "skywalking-provider-doctor")
    [doctor] = pod["spec"]["containers"]

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    for running in pod_specs(objects):  # what the configuration names, both see
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
    said = CliRunner().invoke(app, [command, f"--config={file}", *rest])
    assert said.exit_code == 3, said.output  # the command line is right, and there is no OAP


def test_with_a_deployment_the_doctor_asks_the_service_as_the_bridge_does() -> None:
    objects = render(DEPLOYMENT)
    [doctor] = objects.get("Pod", "skywalking-provider-doctor")["spec"]["containers"]
    values = yaml.safe_load(objects.get("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"])
    [plugin] = values["controller"]["metricProviderPlugins"]

    asked = {argument for argument in doctor["args"] if argument.startswith("--tls")}
    assert asked == {argument for argument in plugin["args"] if argument.startswith("--tls")}
    assert "--address=skywalking-provider.argo-rollouts.svc:9500" in doctor["args"]
