"""Beyond this machine, only clients with a certificate of our CA and an allowed name are served."""

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
class Place:
    folder: Path
    authority: CertificateAuthority
    port: int

    def channel(self, shown: Certificate | None, trusted: bytes | None = None) -> grpc.aio.Channel:
        key, chain = (shown.key, shown.certificate) if shown else (None, None)
        credentials = grpc.ssl_channel_credentials(trusted or self.authority.pem, key, chain)
        options = (("grpc.ssl_target_name_override", HOST), ("grpc.use_local_subchannel_pool", 1))
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options)

    async def describe(self, shown: Certificate | None, **options: Any) -> pb.DescribeResponse:
        async with self.channel(shown, **options) as channel:
            return await rpc.MetricProviderStub(channel).Describe(pb.DescribeRequest(), timeout=30)

    def served_certificate(self, shown: Certificate) -> str:
        """The certificate that a new connection gets, PEM."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        context.load_cert_chain(*shown.write(self.folder, "client"))
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secured,
        ):
            return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")


def config_of(folder: Path, *identities: str, listen: str = "127.0.0.1:0", **keys: Any) -> Config:
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
async def serving(folder: Path) -> AsyncIterator[Place]:
    authority = CertificateAuthority()
    authority.issue(HOST).write(folder)
    replace_file(folder / "ca.crt", authority.pem)
    config = config_of(folder)
    async with open_server(config, resolve_endpoint(config)) as server:
        yield Place(folder, authority, server.port)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with serving(tmp_path) as place:
        yield place


@pytest.mark.parametrize("names", [[BRIDGE], ["bridge.example.org"], ["x.example.org", BRIDGE]])
async def test_an_allowed_identity_is_served(place: Place, names: list[str]) -> None:
    assert (await place.describe(place.authority.issue(*names))).provider == "skywalking"


async def test_no_certificate_is_refused(place: Place) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await place.describe(None)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("kind", ["of another CA", "expired", "of another CA with the same name"])
async def test_a_wrong_certificate_is_refused(place: Place, kind: str) -> None:
    shown = {
        "of another CA": lambda: CertificateAuthority("another CA").issue(BRIDGE),
        "of another CA with the same name": lambda: CertificateAuthority().issue(BRIDGE),
        "expired": lambda: place.authority.issue(BRIDGE, days=1),
    }[kind]()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await place.describe(shown)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_client_that_speaks_no_tls_is_refused(place: Place) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{place.port}") as channel:
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
async def test_another_identity_of_the_same_ca_is_denied_every_call(place: Place, names: list[str]) -> None:
    async with place.channel(place.authority.issue(*names)) as channel:
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


async def test_an_allowed_client_may_watch_health_and_finds_no_reflection(place: Place) -> None:
    async with place.channel(place.authority.issue(BRIDGE)) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()

        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


class Load:
    """Clients that ask without a pause, over connections that stay and over new ones. A failed call ends the test."""

    def __init__(self, place: Place, shown: Certificate) -> None:
        self._place, self._shown = place, shown
        self._answers = asyncio.Queue[str](), asyncio.Queue[str]()
        self.done = False

    async def on_one_channel(self) -> None:
        async with self._place.channel(self._shown) as channel:
            stub = rpc.MetricProviderStub(channel)
            while not self.done:
                await stub.Describe(pb.DescribeRequest(), timeout=30)
                self._answers[0].put_nowait("")

    async def on_new_channels(self) -> None:
        while not self.done:
            await self._place.describe(self._shown)
            self._answers[1].put_nowait("")

    async def three_more_answers(self) -> None:
        for answers in self._answers:
            for _ in range(answers.qsize() + 3):
                await answers.get()


async def test_rotated_certificates_are_picked_up_under_load_without_a_failed_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificate, client CA, and the age at which a connection must show again who it is."""
    monkeypatch.setattr(tls, "CONNECTION_SECONDS", 1)

    async def rotate() -> None:
        for _ in range(5):
            fresh = place.authority.issue(HOST)
            fresh.write(tmp_path)
            assert await asyncio.to_thread(place.served_certificate, bridge) == fresh.certificate.decode()
            await load.three_more_answers()
        another = CertificateAuthority("the next CA")
        replace_file(tmp_path / "ca.crt", place.authority.pem + another.pem)
        await place.describe(another.issue(BRIDGE))
        await load.three_more_answers()
        load.done = True

    async with serving(tmp_path) as place:
        bridge = place.authority.issue(BRIDGE)
        load = Load(place, bridge)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for task in (load.on_one_channel(), load.on_one_channel(), load.on_new_channels(), rotate()):
                group.create_task(task)


@pytest.mark.parametrize(("shown", "told"), [(BRIDGE, "it serves"), ("spiffe://x/y", "client certificate not allowed")])
async def test_doctor_asks_as_the_bridge_would(place: Place, shown: str, told: str) -> None:
    certificate, key = place.authority.issue(shown).write(place.folder, "bridge")
    certificates = Certificates(place.folder / "ca.crt", certificate, key, HOST)

    section = await check_service(None, f"127.0.0.1:{place.port}", certificates)

    assert told in str(section.findings)


@pytest.mark.parametrize("broken", ["no PEM", "the key of another", "missing", "half of a rotation"])
async def test_files_that_cannot_be_used_leave_the_ones_before_in_place(place: Place, broken: str) -> None:
    bridge = place.authority.issue(BRIDGE)
    before = (place.folder / "tls.crt").read_text()
    other = place.authority.issue(HOST)
    with capture_logs() as logs:
        match broken:
            case "no PEM":
                replace_file(place.folder / "tls.crt", b"nonsense")
            case "the key of another":
                replace_file(place.folder / "tls.key", other.key)
            case "missing":
                (place.folder / "ca.crt").unlink()
            case "half of a rotation":
                replace_file(place.folder / "tls.crt", other.certificate)
        for _ in range(3):
            assert await asyncio.to_thread(place.served_certificate, bridge) == before

    assert [line["event"] for line in logs] == ["certificate reload failed, previous certificates stay in use"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("missing", "tls.crt cannot be read"),
        ("no PEM", "a file is not PEM"),
        ("the key of another", "keyFile is not the key of certFile"),
        ("encrypted", "its key is encrypted"),
    ],
)
async def test_it_does_not_start_with_files_that_cannot_be_used(tmp_path: Path, spoil: str, words: str) -> None:
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
    config = config_of(tmp_path)

    with pytest.raises(ConfigError, match=words):
        async with open_server(config, resolve_endpoint(config)):
            pass


@pytest.mark.parametrize("listen", ["0.0.0.0:9500", "[::]:9500", "provider.example.org:9500", "10.0.0.1:9500"])
def test_beyond_loopback_certificates_or_an_explicit_word_are_needed(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigError, match=r"is open to other machines\. Set tls"):
        resolve_endpoint(config_of(tmp_path, listen=listen, tls=None))
    assert resolve_endpoint(config_of(tmp_path, listen=listen)).tls is not None
    assert resolve_endpoint(config_of(tmp_path, listen=listen, tls=None, insecure=True)).exposed
    with pytest.raises(ConfigError, match="insecure and tls"):
        resolve_endpoint(config_of(tmp_path, listen=listen, insecure=True))


async def test_without_authentication_it_says_so_and_reflects_nothing(tmp_path: Path) -> None:
    config = config_of(tmp_path, listen="0.0.0.0:0", tls=None, insecure=True)
    with capture_logs() as logs:
        async with (
            open_server(config, resolve_endpoint(config)) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            assert (await rpc.MetricProviderStub(channel).Describe(pb.DescribeRequest(), timeout=30)).provider
            asked = reflection_pb2.ServerReflectionRequest(list_services="")
            stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream.read()

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
        "TCP WITHOUT AUTHENTICATION: every client that reaches the port can read the backends (--insecure)"
    ]


def test_tls_on_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a socket is protected by its mode"):
        resolve_endpoint(config_of(tmp_path, listen=None, socket=str(tmp_path / "p.sock")))


@pytest.mark.parametrize("identities", [[], [""], ["spiffe://"], ["two words"], ["*"], ["*.example.org"]])
def test_an_identity_is_a_whole_name(tmp_path: Path, identities: list[str]) -> None:
    file = tmp_path / "config.yaml"
    tls_keys = f"{{certFile: a, keyFile: b, clientCaFile: c, allowedIdentities: {identities}}}"
    file.write_text(f"backends: {{prod: {{url: http://oap}}}}\nlisten: 0.0.0.0:9500\ntls: {tls_keys}\n")

    with pytest.raises(ConfigError, match=r"tls\.allowedIdentities"):
        load_config(file, {}, {})
