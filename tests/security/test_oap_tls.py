"""An OAP behind TLS: known by its CA, knowing us by our certificate, both renewed while measurements go on."""

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
class Place:
    """An OAP that wants a client certificate, and one backend."""

    folder: Path
    authority: CertificateAuthority
    oap: MockOap
    server: ssl.SSLContext
    backend: Backend

    async def ask(self) -> str:
        """ "ok", or why not."""
        try:
            await self.backend.read(QUERY, Deadline.after(30))
        except BackendUnavailableError as error:
            return str(error)
        return "ok"

    def serve(self, certificate: Certificate, clients: CertificateAuthority | None = None) -> None:
        """What new connections are served with."""
        self.server.load_cert_chain(*certificate.write(self.folder, "server"))
        if clients:
            replace_file(self.folder / "clients.crt", clients.pem)
            self.server.load_verify_locations(self.folder / "clients.crt")


Placer = Callable[..., Any]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Placer]:
    async with AsyncExitStack() as stack:

        async def make(*, clients: bool = True, names: tuple[str, ...] = ("127.0.0.1",), **keys: Any) -> Place:
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
            return Place(tmp_path, authority, oap, server, backends.select(None, None, "team-a"))

        yield make


async def test_a_private_ca_and_a_client_certificate_are_enough(place: Placer) -> None:
    assert await (await place()).ask() == "ok"


async def test_without_tls_keys_a_private_ca_is_not_believed(place: Placer) -> None:
    here = await place(clients=False, caFile=None, certFile=None, keyFile=None)

    assert "its certificate is not trusted" in await here.ask()
    assert here.oap.requests == []


async def test_a_certificate_of_another_ca_is_not_believed_and_nothing_is_sent(place: Placer) -> None:
    here = await place()
    here.serve(CertificateAuthority("another CA").issue("127.0.0.1"))

    answer = await here.ask()

    assert answer.startswith(f"backend prod at {here.oap.address} cannot be reached: its certificate is not trusted")
    assert here.oap.requests == []


@pytest.mark.parametrize("kind", ["expired", "for another name"])
async def test_a_certificate_that_is_not_the_oaps_is_not_believed(place: Placer, kind: str) -> None:
    here = await place()
    here.serve(
        here.authority.issue("127.0.0.1", days=1) if kind == "expired" else here.authority.issue("oap.example.org")
    )

    assert "its certificate is not trusted" in await here.ask()
    assert here.oap.requests == []


async def test_the_name_in_the_certificate_may_be_another_than_that_of_the_url(place: Placer) -> None:
    assert await (await place(names=("oap.example.org",), serverName="oap.example.org")).ask() == "ok"


async def test_any_certificate_is_believed_where_an_administrator_says_so(place: Placer) -> None:
    here = await place(clients=False, names=("x.org",), caFile=None, insecureSkipVerify=True)

    assert await here.ask() == "ok"


@pytest.mark.parametrize("shown", ["none", "of another CA"])
async def test_an_oap_that_does_not_know_us_says_what_is_missing(place: Placer, shown: str) -> None:
    here = await place(**({"certFile": None, "keyFile": None} if shown == "none" else {}))
    if shown != "none":
        CertificateAuthority("another CA").issue("provider.example.org").write(here.folder, "client")

    answer = await here.ask()

    assert "Check whether the OAP requires a client certificate (backends.prod.tls.certFile)" in answer
    assert here.oap.requests == []


async def test_renewed_files_are_used_by_the_next_request(place: Placer) -> None:
    here = await place()
    assert await here.ask() == "ok"

    following = CertificateAuthority("the next CA")
    here.serve(following.issue("127.0.0.1"), clients=following)
    await here.oap.stop()  # connections that are open stay good
    await here.oap.start()
    assert "its certificate is not trusted" in await here.ask()

    replace_file(here.folder / "ca.crt", following.pem)
    following.issue("provider.example.org").write(here.folder, "client")
    assert await here.ask() == "ok"


async def test_connections_are_kept_while_the_files_are_the_same(place: Placer) -> None:
    here = await place()
    contexts = {id(here.backend.connection._pipeline._client._tls.current()) for _ in range(3)}

    assert len(contexts) == 1


@pytest.mark.parametrize("broken", ["missing", "no PEM", "the key of another", "encrypted"])
async def test_files_that_cannot_be_used_leave_the_ones_before_in_place(place: Placer, broken: str) -> None:
    here = await place()
    assert await here.ask() == "ok"
    spoil(here, broken)

    with capture_logs() as logs:
        assert [await here.ask() for _ in range(3)] == ["ok"] * 3

    assert [line["event"] for line in logs] == ["new certificates rejected, previous ones in use"]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("missing", "client.crt cannot be read (No such file or directory)"),
        ("no PEM", "a file is not PEM as it should be"),
        ("the key of another", "keyFile is not the key of certFile"),
        ("encrypted", "its key is encrypted"),
    ],
)
async def test_files_that_never_could_be_used_are_waited_for(place: Placer, broken: str, words: str) -> None:
    here = await place()
    spoil(here, broken)

    answer = await here.ask()

    assert answer.startswith("tls of backend prod cannot be used: ")
    assert words in answer
    here.authority.issue("provider.example.org").write(here.folder, "client")
    replace_file(here.folder / "ca.crt", here.authority.pem)
    assert await here.ask() == "ok"


def spoil(here: Place, broken: str) -> None:
    match broken:
        case "missing":
            (here.folder / "client.crt").unlink()
        case "no PEM":
            replace_file(here.folder / "ca.crt", b"nonsense")
        case "the key of another":
            replace_file(here.folder / "client.key", here.authority.issue("x.org").key)
        case "encrypted":
            replace_file(here.folder / "client.key", encrypt_key((here.folder / "client.key").read_bytes()))


@pytest.mark.parametrize(
    ("url", "keys", "words"),
    [
        ("http://oap", "{caFile: /ca}", "tls: is for an https:// url"),
        ("https://oap", "{certFile: /c}", "write both certFile and keyFile"),
        ("https://oap", "{keyFile: /k}", "write both certFile and keyFile"),
        ("https://oap", "{caFile: /ca, insecureSkipVerify: true}", "insecureSkipVerify checks nothing"),
        ("https://oap", "{ca: /ca}", "caFile, certFile"),
    ],
)
def test_keys_that_cannot_go_together_are_refused(tmp_path: Path, url: str, keys: str, words: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"backends: {{prod: {{url: '{url}', tls: {keys}}}}}")

    with pytest.raises(ConfigError, match=words):
        load_config(file, {}, {})
