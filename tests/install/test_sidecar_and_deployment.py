"""Both modes of the chart with real processes: configuration, certificates and arguments.

Local folders replace mounts, and loopback addresses replace those of the cluster.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from skywalking_provider.mock_oap import MockOap
from skywalking_provider.tools.demo.argo_host import run_argo_host
from tests.install.install_tools import METRIC, ROOT, RenderedObjects, find_by_name, render
from tests.security.certificates import CertificateAuthority

RUN: dict[str, Any] = {"metadata": {"namespace": "bookinfo", "name": "reviews"}, "spec": {}}


@dataclass(frozen=True)
class Pods:
    """Mounts of both pods: a local folder for each path in them."""

    folder: Path

    def at(self, path: str) -> Path:
        place = self.folder / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        return place

    def text(self, text: str) -> str:
        """Return a text of the chart with its paths replaced by local ones."""
        for path in ("/etc/skywalking-provider", "/etc/skywalking-bridge", "/run/skywalking"):
            text = text.replace(path, str(self.folder / path.lstrip("/")))
        return text


@pytest.fixture
def pods(tmp_path_factory: pytest.TempPathFactory) -> Pods:
    return Pods(tmp_path_factory.mktemp("p"))  # short: a socket path has at most 107 bytes


@asynccontextmanager
async def service(pods: Pods, config: dict[str, Any]) -> AsyncIterator[None]:
    """Run `serve` with a configuration of the chart, and yield once it is ready."""
    config["http"]["listen"] = "127.0.0.1:0"
    file = pods.at("/etc/skywalking-provider") / "config.yaml"
    file.write_text(pods.text(yaml.safe_dump(config)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "skywalking_provider", "serve", "--config", str(file)),
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr
    try:
        async with asyncio.timeout(60):
            line = json.loads(await process.stderr.readline())
            while line["msg"] != "ready":
                line = json.loads(await process.stderr.readline())
        yield
    finally:
        process.kill()
        await process.wait()


def read_chart_output(objects: RenderedObjects) -> tuple[dict[str, Any], list[str]]:
    """Return the service's configuration and the bridge's arguments."""
    config: dict[str, Any] = yaml.safe_load(objects.get("ConfigMap")["data"]["config.yaml"])
    values = yaml.safe_load(objects.get("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"])
    [plugin] = values["controller"]["metricProviderPlugins"]
    return config, plugin["args"]


async def measure(pods: Pods, arguments: list[str]) -> dict[str, Any]:
    programs = ROOT / ".cache" / "bin"
    log = pods.folder / "host.log"
    async with run_argo_host(programs / "argo-host", programs / "skywalking-bridge", log, *arguments) as argo:
        measurement: dict[str, Any] = (await argo.request("run", run=RUN, metric=METRIC))["measurement"]
    return measurement


def backend(url: str) -> dict[str, Any]:
    return {"image": {"repository": "r"}, "backends": {"mock": {"url": url}}, "page": {"enabled": False}}


async def test_sidecar_bridge_measures_through_the_socket(pods: Pods) -> None:
    async with MockOap("healthy-canary") as oap:
        config, arguments = read_chart_output(render(backend(oap.url)))
        pods.at("/run/skywalking")

        async with service(pods, config):
            measurement = await measure(pods, [pods.text(each) for each in arguments])

    assert measurement["phase"] == "Successful", measurement


async def measure_deployment(pods: Pods, oap: MockOap, **certificate: list[str]) -> dict[str, Any]:
    """Run a measurement through mTLS, with certificates as the chart's Certificate objects specify them."""
    objects = render(backend(oap.url) | {"mode": "deployment", "tls": {"certManager": {"enabled": True}}})
    config, arguments = read_chart_output(objects)
    issuer = CertificateAuthority()
    for name, path in (("server", "/etc/skywalking-provider/tls"), ("bridge", "/etc/skywalking-bridge/tls")):
        spec = objects.get("Certificate", f"skywalking-provider-{name}")["spec"]
        names = certificate.get(name) or [*spec.get("uris", []), *spec.get("dnsNames", [])]
        issuer.issue(*names).write(pods.at(path))
        (pods.at(path) / "ca.crt").write_bytes(issuer.pem)
    mounts = objects.get("Deployment")["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert find_by_name(mounts, "skywalking-provider-tls")["mountPath"] == "/etc/skywalking-provider/tls"

    with socket.create_server(("127.0.0.1", 0)) as free:
        config["listen"] = f"127.0.0.1:{free.getsockname()[1]}"
    async with service(pods, config):
        here = f"--address={config['listen']}"
        arguments = [here if each.startswith("--address=") else pods.text(each) for each in arguments]
        return await measure(pods, arguments)


async def test_deployment_bridge_measures_with_the_charts_certificates(pods: Pods) -> None:
    async with MockOap("healthy-canary") as oap:
        measurement = await measure_deployment(pods, oap)

    assert measurement["phase"] == "Successful", measurement


async def test_deployment_other_certificate_of_the_same_issuer_is_rejected(pods: Pods) -> None:
    async with MockOap("healthy-canary") as oap:
        other = ["spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews"]
        measurement = await measure_deployment(pods, oap, bridge=other)
        assert oap.requests == []

    assert measurement["phase"] != "Successful", measurement
