"""Ports that speak another protocol than the URL says: the message names both, and what to write."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.model import Deadline
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.transport.client import OapClient
from tests.security.certificates import CertificateAuthority

REQUEST = GraphqlRequest("query { version }", {})
SECONDS = 30.0
NGINX = b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head><body>"
OK = b'{"data":{"version":"10"}}'


def http(body: bytes, status: bytes = b"400 Bad Request") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def serve(*replies: bytes) -> AsyncIterator[str]:
    """Answer one connection after the other with these bytes, and close it."""
    pending = list(replies)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(pending.pop(0) if len(pending) > 1 else pending[0])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def read_error(url: str) -> ProviderError:
    async with OapClient("prod", BackendConfig(url=url)) as client:
        with pytest.raises(ProviderError) as caught:
            await client.read(REQUEST, Deadline.after(SECONDS))
    return caught.value


@pytest.mark.parametrize("reply", [http(b""), http(NGINX), b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x00\x12\x04\x00\x00\x00"])
async def test_https_url_of_a_port_without_tls_says_to_write_http(reply: bytes) -> None:
    async with serve(reply) as place:
        error = await read_error(f"https://{place}")

    assert isinstance(error, BackendUnavailableError)
    assert error.kind is FailureKind.CONNECT
    assert str(error) == (
        f"backend prod at https://{place} cannot be reached: its port does not speak TLS, but plain HTTP."
        " Write http:// in backends.prod.url"
    )


@pytest.mark.parametrize("reply", [b"\x15\x03\x01\x00\x02\x02\x46", b"\x15\x03\x03\x00\x02\x02\x28"])
async def test_http_url_of_a_port_that_sends_a_tls_alert_says_to_write_https(reply: bytes) -> None:
    async with serve(reply) as place:
        error = await read_error(f"http://{place}")

    assert str(error) == (
        f"backend prod at http://{place} cannot be reached: its port speaks TLS, and the url is http://."
        " Write https:// in backends.prod.url"
    )


async def test_http_url_of_a_real_tls_port_offers_https(tmp_path: Path) -> None:
    CertificateAuthority("CA").issue("127.0.0.1").write(tmp_path, "server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    async with MockOap(tls=context) as oap:
        error = await read_error(oap.address.replace("https:", "http:"))

    assert "Write https:// in backends.prod.url" in error.hint


@pytest.mark.parametrize(
    "body",
    [
        NGINX,
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.",
        b"Bad Request\nThis combination of host and port requires TLS.\n",
    ],
)
async def test_http_400_of_a_tls_port_says_to_write_https(body: bytes) -> None:
    async with serve(http(body)) as place:
        error = await read_error(f"http://{place}")

    assert error.reason is Reason.OAP_REJECTED
    assert str(error) == (
        "backend prod responded 400 Bad Request: its port speaks TLS, and the url is http://."
        " Write https:// in backends.prod.url"
    )


@pytest.mark.parametrize("body", [b"", b"<html>no such site</html>", b'{"message": "use HTTPS"}'])
async def test_other_http_400_is_a_matter_of_a_proxy(body: bytes) -> None:
    async with serve(http(body)) as place:
        error = await read_error(f"http://{place}")

    assert str(error) == "backend prod responded 400 Bad Request. Check for a proxy in front of the OAP"


async def test_grpc_port_is_named() -> None:
    async with serve(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64") as place:
        error = await read_error(f"http://{place}")

    assert "its port speaks HTTP/2, as OAP's gRPC port (11800) does. Write the REST port (12800)" in str(error)


async def test_closed_connection_may_be_that_of_a_tls_port_until_the_oap_has_responded() -> None:
    async with (
        serve(b"", http(OK, b"200 OK"), b"") as place,
        OapClient("prod", BackendConfig(url=f"http://{place}")) as it,
    ):
        with pytest.raises(BackendUnavailableError) as first:
            await it.read(REQUEST, Deadline.after(SECONDS))
        assert (await it.read(REQUEST, Deadline.after(SECONDS)))["version"] == "10"
        with pytest.raises(BackendUnavailableError) as later:
            await it.read(REQUEST, Deadline.after(SECONDS))

    assert first.value.hint == (
        "Write https:// in backends.prod.url if the port speaks TLS; otherwise check that the OAP runs and that no"
        " NetworkPolicy blocks it"
    )
    assert later.value.hint == ""
