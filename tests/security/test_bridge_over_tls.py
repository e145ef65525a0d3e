"""The bridge and the service over mutual TLS: rejected certificates, and certificate rotation under load."""

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


class CertificateFolders:
    """Certificate files of service and bridge, in separate folders."""

    def __init__(self, root: Path, authority: CertificateAuthority) -> None:
        self.service, self.bridge = root / "service", root / "bridge"
        for folder in (self.service, self.bridge):
            folder.mkdir()
            replace_file(folder / "ca.crt", authority.pem)
        authority.issue(HOST).write(self.service)
        authority.issue(BRIDGE).write(self.bridge)

    @property
    def log(self) -> Path:
        return self.bridge / "argo-host.log"


@asynccontextmanager
async def connected(folders: CertificateFolders) -> AsyncIterator[ArgoHost]:
    """Run the service with a mock OAP and the bridge, and yield Argo's client of the bridge."""
    files = {key: str(folders.service / name) for key, name in (("certFile", "tls.crt"), ("keyFile", "tls.key"))}
    files["clientCaFile"] = str(folders.service / "ca.crt")
    async with MockOap("healthy-canary") as oap:
        config = Config.model_validate(
            {
                "backends": {"prod": {"url": oap.address}},
                "listen": "127.0.0.1:0",
                "tls": files | {"allowedIdentities": [BRIDGE]},
            }
        )
        async with open_server(config, resolve_endpoint(config)) as server:
            flags = (f"--tls-{key}={folders.bridge / name}" for key, name in (("ca", "ca.crt"), ("cert", "tls.crt")))
            host = run_argo_host(
                BINARIES / "argo-host",
                BINARIES / "skywalking-bridge",
                folders.log,
                f"--address=127.0.0.1:{server.port}",
                *flags,
                f"--tls-key={folders.bridge / 'tls.key'}",
                f"--tls-server-name={HOST}",
            )
            async with host as client:
                yield client


async def measure(host: ArgoHost) -> dict[str, Any]:
    measurement: dict[str, Any] = (await host.request("run", metric=METRIC))["measurement"]
    return measurement


async def test_mutual_tls_valid_certificates_measure(tmp_path: Path) -> None:
    async with connected(CertificateFolders(tmp_path, CertificateAuthority())) as host:
        assert (await measure(host))["phase"] == "Successful"


@pytest.mark.parametrize("invalid_file", ["service's authority", "bridge's authority", "bridge's name"])
async def test_mutual_tls_invalid_certificate_is_rejected_and_measurement_waits(
    tmp_path: Path, invalid_file: str
) -> None:
    authority, other_authority = CertificateAuthority(), CertificateAuthority("another")
    folders = CertificateFolders(tmp_path, authority)
    match invalid_file:
        case "service's authority":
            replace_file(folders.bridge / "ca.crt", other_authority.pem)
            message_part = "certificate signed by unknown authority"
        case "bridge's authority":
            other_authority.issue(BRIDGE).write(folders.bridge)
            message_part = "that it accepts --tls-ca, --tls-cert and --tls-key"
        case _:
            authority.issue("spiffe://cluster.local/ns/other/sa/other").write(folders.bridge)
            message_part = "contract check failed: PermissionDenied"

    async with connected(folders) as host:
        measurement = await measure(host)

    assert measurement["phase"] == "Running"
    assert measurement["message"].startswith("PROVIDER_UNAVAILABLE no connection to the sidecar at 127.0.0.1:")
    assert message_part in measurement["message"]


async def test_mutual_tls_rotation_under_load_loses_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "CONNECTION_SECONDS", 1)
    authority, next_authority = CertificateAuthority(), CertificateAuthority("the next")
    folders = CertificateFolders(tmp_path, authority)
    for folder in (folders.service, folders.bridge):  # both folders trust both authorities
        replace_file(folder / "ca.crt", authority.pem + next_authority.pem)
    phases: Counter[str] = Counter()

    def in_force() -> bool:
        return "changed TLS files in use" in folders.log.read_text()

    async def measure_until_in_force(host: ArgoHost) -> None:
        while not in_force():
            phases[(await measure(host))["phase"]] += 1

    async with connected(folders) as host:
        assert (await measure(host))["phase"] == "Successful"
        next_authority.issue(HOST).write(folders.service)
        next_authority.issue(BRIDGE).write(folders.bridge)
        async with asyncio.timeout(60):
            await asyncio.gather(*(measure_until_in_force(host) for _ in range(4)))
        assert (await measure(host))["phase"] == "Successful"

    assert set(phases) == {"Successful"}
