"""Probes of the service in every pod: of the chart in both modes, and of the kustomize component."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from skywalking_provider.config import load_config
from skywalking_provider.config.listeners import host_and_port
from tests.install.install_tools import (
    CI_VALUES,
    COMPONENT,
    ROOT,
    apply_stock_chart_values,
    argo_deployment,
    find_by_name,
    pod_specs,
    render,
    values_for_argo,
    values_id,
)

EXISTING_CONFIG = {"image": {"repository": "r"}, "existingConfig": {"secret": "mine"}}
IPV6 = {"image": {"repository": "r"}, "backends": {"a": {"url": "http://oap"}}, "bindAddress": "::"}


def sidecar_pod(*values: Path | dict[str, Any]) -> dict[str, Any]:
    """Return the controller's pod with the chart's values."""
    patched = apply_stock_chart_values(values_for_argo(*values), argo_deployment())
    pod: dict[str, Any] = patched["spec"]["template"]["spec"]
    return pod


def service_of(pod: dict[str, Any]) -> dict[str, Any]:
    return find_by_name(pod.get("initContainers", []) + pod["containers"], "skywalking-provider")


def service_pod(*values: Path | dict[str, Any]) -> dict[str, Any]:
    """Return the pod in which the service runs with the chart's values."""
    deployments = pod_specs(render(*values))
    return deployments[0] if deployments else sidecar_pod(*values)


def component_pod() -> dict[str, Any]:
    pod: dict[str, Any] = yaml.safe_load((COMPONENT / "controller.yaml").read_text())["spec"]["template"]["spec"]
    return pod


PODS = [pytest.param(lambda values=values: service_pod(values), id=values_id(values)) for values in CI_VALUES]
PODS += [
    pytest.param(component_pod, id="kustomize"),
    pytest.param(lambda: service_pod(EXISTING_CONFIG), id="existing-config"),
    pytest.param(lambda: service_pod(IPV6), id="ipv6"),
]


@pytest.mark.parametrize("pod", PODS)
def test_no_probe_starts_a_process(pod: Any) -> None:
    service = service_of(pod())
    probes = {key: value for key, value in service.items() if key.endswith("Probe")}

    assert {"startupProbe", "livenessProbe"} <= probes.keys()
    assert all("exec" not in probe for probe in probes.values())


@pytest.mark.parametrize("pod", PODS)
def test_startup_probe_comes_after_a_normal_start_and_allows_a_slow_one(pod: Any) -> None:
    probe = service_of(pod())["startupProbe"]

    assert probe["httpGet"]["path"] == "/readyz"
    assert 3 < probe["initialDelaySeconds"] <= 5, "a start takes 3 s, and the controller waits for the probe"
    assert probe["periodSeconds"] == 1
    assert probe["initialDelaySeconds"] + probe["failureThreshold"] >= 120, "a start takes 15 s at limits.cpu: 50m"


@pytest.mark.parametrize("pod", PODS)
def test_liveness_probe_ends_a_frozen_service_after_a_minute(pod: Any) -> None:
    probe = service_of(pod())["livenessProbe"]

    assert probe["httpGet"]["path"] == "/healthz"
    assert probe["timeoutSeconds"] == 5, "a service without CPU time still responds within it"
    assert probe["periodSeconds"] * probe["failureThreshold"] == 60


def listener_addresses(values: Path | dict[str, Any], tmp_path: Path) -> list[tuple[str, int]]:
    """Return host and port of each listener, as the service reads them from its file and its environment."""
    file = tmp_path / "config.yaml"
    objects = render(values)
    file.write_text(
        objects.get("ConfigMap")["data"]["config.yaml"]
        if "skywalking-provider" in objects.names("ConfigMap")
        else "backends: {a: {url: 'http://oap'}}"
    )
    environment = {each["name"]: each["value"] for each in service_of(service_pod(values)).get("env", [])}
    environment = {name: value for name, value in environment.items() if name.startswith("SWP_")}
    from_the_file = (
        {"tls": {"allowedIdentities": ["bridge.example.org"]}} if "SWP_TLS__CERT_FILE" in environment else {}
    )
    config = load_config(file, from_the_file, environment)
    texts = (config.http and config.http.listen, config.page and config.page.listen, config.listen)
    return [host_and_port(text) for text in texts if text]


@pytest.mark.parametrize("values", [*CI_VALUES, EXISTING_CONFIG, IPV6], ids=lambda v: getattr(v, "stem", "values"))
def test_probed_listener_is_on_all_addresses_and_no_other_container_has_its_ports(
    values: Path | dict[str, Any], tmp_path: Path
) -> None:
    pod = service_pod(values)
    (host, port), *others = listener_addresses(values, tmp_path)

    assert host in ("0.0.0.0", "::"), "the kubelet probes the pod's address"  # noqa: S104 - in the pod
    assert {probe["httpGet"]["port"] for key, probe in service_of(pod).items() if key.endswith("Probe")} == {port}
    containers = pod.get("initContainers", []) + pod["containers"]
    other_containers = [
        each["containerPort"]
        for container in containers
        if container["name"] != "skywalking-provider"
        for each in container.get("ports", [])
    ]
    if any(container["name"] == "argo-rollouts" for container in containers):
        assert {8080, 8090} <= set(other_containers), "ports of the controller"
    ports = [port, *(number for _, number in others), *other_containers]
    assert len(ports) == len(set(ports)), ports


def test_kustomize_example_listens_where_the_component_probes() -> None:
    config = load_config(ROOT / "examples" / "kustomize" / "config.yaml", {}, {})

    assert config.http is not None
    assert config.http.listen == "0.0.0.0:9464"
    assert {
        probe["httpGet"]["port"] for key, probe in service_of(component_pod()).items() if key.endswith("Probe")
    } == {9464}


# -- cost of a probe -------------------------------------------------------------------------------------------------


@contextmanager
def running_service(folder: Path) -> Iterator[tuple[int, str]]:
    """Run `serve`, and yield its process ID and the address of `http` once it is ready."""
    file = folder / "config.yaml"
    file.write_text(
        f"socket: {folder}/p.sock\nhttp: {{listen: '127.0.0.1:0'}}\nlog: {{format: json}}\n"
        "backends: {a: {url: 'http://127.0.0.1:9'}}\n"
    )
    command = [sys.executable, "-m", "skywalking_provider", "serve", "--config", str(file)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        line = json.loads(process.stderr.readline())
        while line["msg"] != "ready":
            line = json.loads(process.stderr.readline())
        yield process.pid, line["http"]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of the children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def test_startup_probe_takes_a_small_part_of_the_smallest_cpu_limit(tmp_path: Path) -> None:
    probes, limit = 200, 0.05  # limits.cpu: 50m, and one probe each second
    with running_service(tmp_path) as (pid, address):
        before = cpu_seconds(pid)
        for _ in range(probes):
            with urllib.request.urlopen(f"http://{address}/readyz", timeout=60) as response:
                assert response.status == 200
        used = (cpu_seconds(pid) - before) / probes

    assert used < limit / 5
