"""Mutual TLS: only clients with a certificate of the CA and an allowed identity are served."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from skywalking_provider.config import Config, ConfigError, load_config
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.server import tls
from skywalking_provider.server.endpoint import resolve_endpoint
from skywalking_provider.server.lifecycle import open_server
from skywalking_provider.tools.doctor.check_service import Certificates, check_service
from tests.security.certificates import Certificate, CertificateAuthority, encrypt_key, replace_file

BRIDGE = "spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts"
HOST = "provider.example.org"


@dataclass
class TlsService:
    folder: Path
    authority: CertificateAuthority
    port: int

    def channel(self, certificate: Certificate | None, trusted: bytes | None = None) -> grpc.aio.Channel:
        key, chain = (certificate.key, certificate.certificate) if certificate else (None, None)
        credentials = grpc.ssl_channel_credentials(trusted or self.authority.pem, key, chain)
        options = (("grpc.ssl_target_name_override", HOST), ("grpc.use_local_subchannel_pool", 1))
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options)

    async def describe(self, certificate: Certificate | None, **options: Any) -> pb.DescribeResponse:
        async with self.channel(certificate, **options) as channel:
            return await rpc.MetricProviderStub(channel).Describe(pb.DescribeRequest(), timeout=30)

    def served_certificate(self, certificate: Certificate) -> str:
        """Return the certificate that the service presents to a new connection, as PEM."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the certificates of the tests have few extensions
        context.load_cert_chain(*certificate.write(self.folder, "client"))
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secured,
        ):
            return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")


def build_config(folder: Path, *identities: str, listen: str = "127.0.0.1:0", **keys: Any) -> Config:
    return Config.model_validate(
        {
            "backends": {"prod": {"url": "http://127.0.0.1:9"}},
            "listen": listen,
            "tls": {
                "certFile": str(folder / "tls.crt"),
                "keyFile": str(folder / "tls.key"),
                "clientCaFile": str(folder / "ca.crt"),
                "allowedIdentities": identities or (BRIDGE, "bridge.example.org"),
            },
        }
        | keys
    )


@asynccontextmanager
async def run_tls_service(folder: Path) -> AsyncIterator[TlsService]:
    authority = CertificateAuthority()
    authority.issue(HOST).write(folder)
    replace_file(folder / "ca.crt", authority.pem)
    config = build_config(folder)
    async with open_server(config, resolve_endpoint(config)) as server:
        yield TlsService(folder, authority, server.port)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[TlsService]:
    async with run_tls_service(tmp_path) as service:
        yield service


@pytest.mark.parametrize("names", [[BRIDGE], ["bridge.example.org"], ["x.example.org", BRIDGE]])
async def test_client_with_allowed_identity_is_served(service: TlsService, names: list[str]) -> None:
    assert (await service.describe(service.authority.issue(*names))).provider == "skywalking"


async def test_client_without_certificate_is_rejected(service: TlsService) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.describe(None)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("kind", ["of another CA", "expired", "of another CA with the same name"])
async def test_client_with_invalid_certificate_is_rejected(service: TlsService, kind: str) -> None:
    certificate = {
        "of another CA": lambda: CertificateAuthority("another CA").issue(BRIDGE),
        "of another CA with the same name": lambda: CertificateAuthority().issue(BRIDGE),
        "expired": lambda: service.authority.issue(BRIDGE, days=1),
    }[kind]()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.describe(certificate)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_client_without_tls_is_rejected(service: TlsService) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.MetricProviderStub(channel).Describe(pb.DescribeRequest(), timeout=30)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    "names",
    [
        [],
        [BRIDGE + "-other"],
        [BRIDGE[:-1]],
        [BRIDGE.upper()],
        ["spiffe://other.local/ns/argo-rollouts/sa/argo-rollouts"],
        ["bridge.example.org.evil.org"],
        ["evil.bridge.example.org"],
        ["*.example.org"],
        ["127.0.0.1"],
    ],
)
async def test_client_with_other_identity_is_denied_every_call(service: TlsService, names: list[str]) -> None:
    async with service.channel(service.authority.issue(*names)) as channel:
        stub, health = rpc.MetricProviderStub(channel), health_pb2_grpc.HealthStub(channel)
        for call in (
            stub.Describe(pb.DescribeRequest(), timeout=30),
            stub.Run(pb.RunRequest(), timeout=30),
            stub.Resume(pb.ResumeRequest(), timeout=30),
            stub.Terminate(pb.TerminateRequest(), timeout=30),
            stub.GarbageCollect(pb.GarbageCollectRequest(), timeout=30),
            stub.GetMetadata(pb.GetMetadataRequest(), timeout=30),
            health.Check(health_pb2.HealthCheckRequest(), timeout=30),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
            assert "allowedIdentities" in str(caught.value.details())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health.Watch(health_pb2.HealthCheckRequest(), timeout=30).read()
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_client_allowed_can_watch_health_but_not_reflection(service: TlsService) -> None:
    async with service.channel(service.authority.issue(BRIDGE)) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()

        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


class Load:
    """Clients that call continuously over a kept and over new connections. A failed call fails the test."""

    def __init__(self, service: TlsService, certificate: Certificate) -> None:
        self._service, self._certificate = service, certificate
        self._responses = asyncio.Queue[str](), asyncio.Queue[str]()
        self.done = False

    async def on_one_channel(self) -> None:
        async with self._service.channel(self._certificate) as channel:
            stub = rpc.MetricProviderStub(channel)
            while not self.done:
                await stub.Describe(pb.DescribeRequest(), timeout=30)
                self._responses[0].put_nowait("")

    async def on_new_channels(self) -> None:
        while not self.done:
            await self._service.describe(self._certificate)
            self._responses[1].put_nowait("")

    async def wait_for_three_more_responses(self) -> None:
        for responses in self._responses:
            for _ in range(responses.qsize() + 3):
                await responses.get()


async def test_rotation_under_load_fails_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotate the certificate and the client CA, with connections that end after their maximum age."""
    monkeypatch.setattr(tls, "CONNECTION_SECONDS", 1)

    async def rotate() -> None:
        for _ in range(5):
            fresh = service.authority.issue(HOST)
            fresh.write(tmp_path)
            assert await asyncio.to_thread(service.served_certificate, bridge) == fresh.certificate.decode()
            await load.wait_for_three_more_responses()
        another = CertificateAuthority("the next CA")
        replace_file(tmp_path / "ca.crt", service.authority.pem + another.pem)
        await service.describe(another.issue(BRIDGE))
        await load.wait_for_three_more_responses()
        load.done = True

    async with run_tls_service(tmp_path) as service:
        bridge = service.authority.issue(BRIDGE)
        load = Load(service, bridge)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for task in (load.on_one_channel(), load.on_one_channel(), load.on_new_channels(), rotate()):
                group.create_task(task)


@pytest.mark.parametrize(
    ("identity", "finding"), [(BRIDGE, "it is serving"), ("spiffe://x/y", "client certificate not allowed")]
)
async def test_doctor_with_bridge_certificates_reports_the_service(
    service: TlsService, identity: str, finding: str
) -> None:
    certificate, key = service.authority.issue(identity).write(service.folder, "bridge")
    certificates = Certificates(service.folder / "ca.crt", certificate, key, HOST)

    section = await check_service(None, f"127.0.0.1:{service.port}", certificates)

    assert finding in str(section.findings)


@pytest.mark.parametrize("broken", ["no PEM", "the key of another", "missing", "half of a rotation"])
async def test_rotation_invalid_files_keep_the_previous_ones(service: TlsService, broken: str) -> None:
    bridge = service.authority.issue(BRIDGE)
    before = (service.folder / "tls.crt").read_text()
    other = service.authority.issue(HOST)
    with capture_logs() as logs:
        match broken:
            case "no PEM":
                replace_file(service.folder / "tls.crt", b"nonsense")
            case "the key of another":
                replace_file(service.folder / "tls.key", other.key)
            case "missing":
                (service.folder / "ca.crt").unlink()
            case "half of a rotation":
                replace_file(service.folder / "tls.crt", other.certificate)
        for _ in range(3):
            assert await asyncio.to_thread(service.served_certificate, bridge) == before

    assert [line["event"] for line in logs] == ["certificate reload failed, previous certificates stay in use"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("missing", "tls.crt cannot be read"),
        ("no PEM", "a file is not PEM"),
        ("the key of another", "keyFile is not the key of certFile"),
        ("encrypted", "its key is encrypted"),
    ],
)
async def test_start_with_invalid_files_is_rejected(tmp_path: Path, spoil: str, message: str) -> None:
    authority = CertificateAuthority()
    certificate, key = authority.issue(HOST).write(tmp_path)
    replace_file(tmp_path / "ca.crt", authority.pem)
    match spoil:
        case "missing":
            certificate.unlink()
        case "no PEM":
            certificate.write_text("nonsense")
        case "the key of another":
            key.write_bytes(authority.issue(HOST).key)
        case "encrypted":
            key.write_bytes(encrypt_key(key.read_bytes()))
    config = build_config(tmp_path)

    with pytest.raises(ConfigError, match=message):
        async with open_server(config, resolve_endpoint(config)):
            pass


@pytest.mark.parametrize("listen", ["0.0.0.0:9500", "[::]:9500", "provider.example.org:9500", "10.0.0.1:9500"])
def test_listen_beyond_loopback_needs_tls_or_insecure(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigError, match=r"is open to other machines\. Set tls"):
        resolve_endpoint(build_config(tmp_path, listen=listen, tls=None))
    assert resolve_endpoint(build_config(tmp_path, listen=listen)).tls is not None
    assert resolve_endpoint(build_config(tmp_path, listen=listen, tls=None, insecure=True)).exposed
    with pytest.raises(ConfigError, match="insecure and tls"):
        resolve_endpoint(build_config(tmp_path, listen=listen, insecure=True))


async def test_insecure_is_logged_and_has_no_reflection(tmp_path: Path) -> None:
    config = build_config(tmp_path, listen="0.0.0.0:0", tls=None, insecure=True)
    with capture_logs() as logs:
        async with (
            open_server(config, resolve_endpoint(config)) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            assert (await rpc.MetricProviderStub(channel).Describe(pb.DescribeRequest(), timeout=30)).provider
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream.read()

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
        "TCP WITHOUT AUTHENTICATION: every client that reaches the port can read the backends (--insecure)"
    ]


def test_tls_with_a_socket_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a socket is protected by its mode"):
        resolve_endpoint(build_config(tmp_path, listen=None, socket=str(tmp_path / "p.sock")))


@pytest.mark.parametrize("identities", [[], [""], ["spiffe://"], ["two words"], ["*"], ["*.example.org"]])
def test_identity_invalid_is_rejected(tmp_path: Path, identities: list[str]) -> None:
    file = tmp_path / "config.yaml"
    tls_keys = f"{{certFile: a, keyFile: b, clientCaFile: c, allowedIdentities: {identities}}}"
    file.write_text(f"backends: {{prod: {{url: http://oap}}}}\nlisten: 0.0.0.0:9500\ntls: {tls_keys}\n")

    with pytest.raises(ConfigError, match=r"tls\.allowedIdentities"):
        load_config(file, {}, {})
