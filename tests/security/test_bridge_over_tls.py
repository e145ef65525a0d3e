"""The real bridge and the service over mutual TLS: who is refused, and certificates replaced under load."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.config import Config
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.server import tls
from skywalking_provider.server.endpoint import resolve_endpoint
from skywalking_provider.server.lifecycle import open_server
from skywalking_provider.tools.demo.argo_host import ArgoHost, run_argo_host
from tests.security.certificates import CertificateAuthority, replace_file

BINARIES = Path(__file__).parents[2] / ".cache/bin"
HOST = "provider.example.org"
BRIDGE = "spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts"
METRIC = {
    "name": "success-rate",
    "successCondition": "result >= 0.99",
    "provider": {
        "plugin": {
            "skywalking/metrics": {
                "sli": "success-rate",
                "service": "reviews.bookinfo",
                "instances": {"podTemplateHash": "6c85f7bf4"},
                "window": "3m",
            }
        }
    },
}


class Sides:
    """The files of service and bridge, each in a folder of its own."""

    def __init__(self, folder: Path, ours: CertificateAuthority) -> None:
        self.service, self.bridge = folder / "service", folder / "bridge"
        for side in (self.service, self.bridge):
            side.mkdir()
            replace_file(side / "ca.crt", ours.pem)
        ours.issue(HOST).write(self.service)
        ours.issue(BRIDGE).write(self.bridge)

    @property
    def log(self) -> Path:
        return self.bridge / "argo-host.log"


@asynccontextmanager
async def connected(sides: Sides) -> AsyncIterator[ArgoHost]:
    """Argo's client before the bridge, the service behind it, a healthy canary in the OAP."""
    files = {key: str(sides.service / name) for key, name in (("certFile", "tls.crt"), ("keyFile", "tls.key"))}
    files["clientCaFile"] = str(sides.service / "ca.crt")
    async with MockOap("healthy-canary") as oap:
        config = Config.model_validate(
            {
                "backends": {"prod": {"url": oap.address}},
                "listen": "127.0.0.1:0",
                "tls": files | {"allowedIdentities": [BRIDGE]},
            }
        )
        async with open_server(config, resolve_endpoint(config)) as server:
            flags = (f"--tls-{key}={sides.bridge / name}" for key, name in (("ca", "ca.crt"), ("cert", "tls.crt")))
            host = run_argo_host(
                BINARIES / "argo-host",
                BINARIES / "skywalking-bridge",
                sides.log,
                f"--address=127.0.0.1:{server.port}",
                *flags,
                f"--tls-key={sides.bridge / 'tls.key'}",
                f"--tls-server-name={HOST}",
            )
            async with host as asked:
                yield asked


async def measured(host: ArgoHost) -> dict[str, Any]:
    measurement: dict[str, Any] = (await host.request("run", metric=METRIC))["measurement"]
    return measurement


async def test_both_sides_know_each_other_and_measure(tmp_path: Path) -> None:
    async with connected(Sides(tmp_path, CertificateAuthority())) as host:
        assert (await measured(host))["phase"] == "Successful"


@pytest.mark.parametrize("wrong", ["service's authority", "bridge's authority", "bridge's name"])
async def test_whoever_is_not_known_is_refused_and_the_measurement_waits(tmp_path: Path, wrong: str) -> None:
    ours, theirs = CertificateAuthority(), CertificateAuthority("another")
    sides = Sides(tmp_path, ours)
    match wrong:
        case "service's authority":
            replace_file(sides.bridge / "ca.crt", theirs.pem)
            words = "certificate signed by unknown authority"
        case "bridge's authority":
            theirs.issue(BRIDGE).write(sides.bridge)
            words = "that it accepts --tls-ca, --tls-cert and --tls-key"
        case _:
            ours.issue("spiffe://cluster.local/ns/other/sa/other").write(sides.bridge)
            words = "contract check failed: PermissionDenied"

    async with connected(sides) as host:
        measurement = await measured(host)

    assert measurement["phase"] == "Running"
    assert measurement["message"].startswith("PROVIDER_UNAVAILABLE no connection to the sidecar at 127.0.0.1:")
    assert words in measurement["message"]


async def test_certificates_of_both_sides_are_replaced_under_load_without_a_lost_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "CONNECTION_SECONDS", 1)
    ours, next_one = CertificateAuthority(), CertificateAuthority("the next")
    sides = Sides(tmp_path, ours)
    for side in (sides.service, sides.bridge):  # whoever trusts both can be shown either
        replace_file(side / "ca.crt", ours.pem + next_one.pem)
    phases: Counter[str] = Counter()

    def in_force() -> bool:
        return "changed TLS files in use" in sides.log.read_text()

    async def measure_until_in_force(host: ArgoHost) -> None:
        while not in_force():
            phases[(await measured(host))["phase"]] += 1

    async with connected(sides) as host:
        assert (await measured(host))["phase"] == "Successful"
        next_one.issue(HOST).write(sides.service)
        next_one.issue(BRIDGE).write(sides.bridge)
        async with asyncio.timeout(60):
            await asyncio.gather(*(measure_until_in_force(host) for _ in range(4)))
        assert (await measured(host))["phase"] == "Successful"

    assert set(phases) == {"Successful"}
