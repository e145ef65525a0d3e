"""TLS to an OAP: private CA and client certificate, both renewed while measurements run."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from skywalking_provider.config import BackendConfig, ConfigError, load_config
from skywalking_provider.errors import BackendUnavailableError
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Backend, open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from tests.security.certificates import Certificate, CertificateAuthority, encrypt_key, replace_file

QUERY = GraphqlRequest("query { metrics: listMetrics { name } }", {})


@dataclass
class Setup:
    """An OAP that requires a client certificate, and a backend that uses it."""

    folder: Path
    authority: CertificateAuthority
    oap: MockOap
    server: ssl.SSLContext
    backend: Backend

    async def read(self) -> str:
        """Return "ok", or the error."""
        try:
            await self.backend.read(QUERY, Deadline.after(30))
        except BackendUnavailableError as error:
            return str(error)
        return "ok"

    def serve(self, certificate: Certificate, clients: CertificateAuthority | None = None) -> None:
        """Set the certificates of new connections."""
        self.server.load_cert_chain(*certificate.write(self.folder, "server"))
        if clients:
            replace_file(self.folder / "clients.crt", clients.pem)
            self.server.load_verify_locations(self.folder / "clients.crt")


SetupFactory = Callable[..., Any]


@pytest.fixture
async def open_setup(tmp_path: Path) -> AsyncIterator[SetupFactory]:
    async with AsyncExitStack() as stack:

        async def make(*, clients: bool = True, names: tuple[str, ...] = ("127.0.0.1",), **keys: Any) -> Setup:
            authority = CertificateAuthority()
            replace_file(tmp_path / "ca.crt", authority.pem)
            authority.issue("provider.example.org").write(tmp_path, "client")
            server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.load_cert_chain(*authority.issue(*names).write(tmp_path, "server"))
            if clients:
                server.verify_mode = ssl.CERT_REQUIRED
                server.load_verify_locations(tmp_path / "ca.crt")
            oap = await stack.enter_async_context(MockOap(tls=server))
            files = {"caFile": "ca.crt", "certFile": "client.crt", "keyFile": "client.key"} | keys
            tls = {
                key: str(tmp_path / value) if key.endswith("File") else value
                for key, value in files.items()
                if value is not None
            }
            config = BackendConfig.model_validate(
                {"url": oap.address, "cache": {"responseTtl": "0s", "verdictTtl": "0s"}, "timeout": "20s", "tls": tls}
            )
            backends = await stack.enter_async_context(open_backends({"prod": config}, lambda: datetime.now(UTC)))
            return Setup(tmp_path, authority, oap, server, backends.select(None, None, "team-a"))

        yield make


async def test_private_ca_and_client_certificate_are_accepted(open_setup: SetupFactory) -> None:
    assert await (await open_setup()).read() == "ok"


async def test_private_ca_without_tls_keys_is_not_trusted(open_setup: SetupFactory) -> None:
    setup = await open_setup(clients=False, caFile=None, certFile=None, keyFile=None)

    assert "its certificate is not trusted" in await setup.read()
    assert setup.oap.requests == []


async def test_certificate_of_another_ca_is_not_trusted_and_nothing_is_sent(open_setup: SetupFactory) -> None:
    setup = await open_setup()
    setup.serve(CertificateAuthority("another CA").issue("127.0.0.1"))

    message = await setup.read()

    assert message.startswith(f"backend prod at {setup.oap.address} cannot be reached: its certificate is not trusted")
    assert setup.oap.requests == []


@pytest.mark.parametrize("kind", ["expired", "for another name"])
async def test_expired_or_foreign_certificate_is_not_trusted(open_setup: SetupFactory, kind: str) -> None:
    setup = await open_setup()
    setup.serve(
        setup.authority.issue("127.0.0.1", days=1) if kind == "expired" else setup.authority.issue("oap.example.org")
    )

    assert "its certificate is not trusted" in await setup.read()
    assert setup.oap.requests == []


async def test_server_name_replaces_the_name_of_the_url(open_setup: SetupFactory) -> None:
    assert await (await open_setup(names=("oap.example.org",), serverName="oap.example.org")).read() == "ok"


async def test_insecure_skip_verify_trusts_any_certificate(open_setup: SetupFactory) -> None:
    setup = await open_setup(clients=False, names=("x.org",), caFile=None, insecureSkipVerify=True)

    assert await setup.read() == "ok"


@pytest.mark.parametrize("presented", ["none", "of another CA"])
async def test_missing_client_certificate_is_named_in_the_hint(open_setup: SetupFactory, presented: str) -> None:
    setup = await open_setup(**({"certFile": None, "keyFile": None} if presented == "none" else {}))
    if presented != "none":
        CertificateAuthority("another CA").issue("provider.example.org").write(setup.folder, "client")

    message = await setup.read()

    assert "Check whether the OAP requires a client certificate (backends.prod.tls.certFile)" in message
    assert setup.oap.requests == []


async def test_renewed_files_are_used_by_the_next_request(open_setup: SetupFactory) -> None:
    setup = await open_setup()
    assert await setup.read() == "ok"

    following = CertificateAuthority("the next CA")
    setup.serve(following.issue("127.0.0.1"), clients=following)
    await setup.oap.stop()  # open connections stay valid
    await setup.oap.start()
    assert "its certificate is not trusted" in await setup.read()

    replace_file(setup.folder / "ca.crt", following.pem)
    following.issue("provider.example.org").write(setup.folder, "client")
    assert await setup.read() == "ok"


async def test_connections_are_kept_while_the_files_are_the_same(open_setup: SetupFactory) -> None:
    setup = await open_setup()
    contexts = {id(setup.backend.connection._pipeline._client._tls.load_current()) for _ in range(3)}

    assert len(contexts) == 1


@pytest.mark.parametrize("broken", ["missing", "no PEM", "the key of another", "encrypted"])
async def test_unusable_new_files_leave_the_previous_ones_in_use(open_setup: SetupFactory, broken: str) -> None:
    setup = await open_setup()
    assert await setup.read() == "ok"
    spoil(setup, broken)

    with capture_logs() as logs:
        assert [await setup.read() for _ in range(3)] == ["ok"] * 3

    assert [line["event"] for line in logs] == ["new certificates rejected, previous ones in use"]


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("missing", "client.crt cannot be read (No such file or directory)"),
        ("no PEM", "a file is not PEM"),
        ("the key of another", "keyFile is not the key of certFile"),
        ("encrypted", "its key is encrypted"),
    ],
)
async def test_unusable_files_are_read_again_until_they_are_valid(
    open_setup: SetupFactory, broken: str, expected: str
) -> None:
    setup = await open_setup()
    spoil(setup, broken)

    message = await setup.read()

    assert message.startswith("tls of backend prod cannot be used: ")
    assert expected in message
    setup.authority.issue("provider.example.org").write(setup.folder, "client")
    replace_file(setup.folder / "ca.crt", setup.authority.pem)
    assert await setup.read() == "ok"


def spoil(setup: Setup, broken: str) -> None:
    match broken:
        case "missing":
            (setup.folder / "client.crt").unlink()
        case "no PEM":
            replace_file(setup.folder / "ca.crt", b"nonsense")
        case "the key of another":
            replace_file(setup.folder / "client.key", setup.authority.issue("x.org").key)
        case "encrypted":
            replace_file(setup.folder / "client.key", encrypt_key((setup.folder / "client.key").read_bytes()))


@pytest.mark.parametrize(
    ("url", "keys", "expected"),
    [
        ("http://oap", "{caFile: /ca}", "tls: needs an https:// url"),
        ("https://oap", "{certFile: /c}", "needs both certFile and keyFile"),
        ("https://oap", "{keyFile: /k}", "needs both certFile and keyFile"),
        ("https://oap", "{caFile: /ca, insecureSkipVerify: true}", "insecureSkipVerify verifies nothing"),
        ("https://oap", "{ca: /ca}", "unknown key. Write caFile."),
    ],
)
def test_contradicting_tls_keys_are_rejected(tmp_path: Path, url: str, keys: str, expected: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"backends: {{prod: {{url: '{url}', tls: {keys}}}}}")

    with pytest.raises(ConfigError, match=expected):
        load_config(file, {}, {})
