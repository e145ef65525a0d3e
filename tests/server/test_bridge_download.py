"""The bridge over HTTP: what the controller downloads is what the folder holds, and nothing else of the machine."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from skywalking_provider.server.bridge_download import BridgeDownloads
from skywalking_provider.server.http_app import build_http_app


def put(folder: Path, version: str, platform: str, content: bytes) -> str:
    path = folder / version / platform / "skywalking-bridge"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("hunter2")
    return tmp_path / "bridges"


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[TestClient]:
    async def none(_: object) -> aiohttp.web.Response:
        return aiohttp.web.Response()

    app = build_http_app(lambda: True, none, BridgeDownloads(folder))
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_controller_gets_the_bridge_of_its_version_and_platform(folder: Path, client: TestClient) -> None:
    content = b"\x7fELF" + bytes(range(256)) * 4096
    digest = put(folder, "0.1.0", "linux-arm64", content)
    put(folder, "0.1.0", "linux-amd64", b"another")

    answer = await client.get("/bridge/0.1.0/linux-arm64")

    assert await answer.read() == content
    assert answer.headers["X-Checksum-Sha256"] == digest
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert await (await client.get("/bridge/0.1.0/linux-arm64/sha256")).text() == f"{digest}\n"


async def test_an_older_version_that_an_installation_still_names_stays_served(folder: Path, client: TestClient) -> None:
    digests = {version: put(folder, version, "linux-amd64", version.encode()) for version in ("0.1.0", "0.2.0-rc.1")}

    for version, digest in digests.items():
        answer = await client.get(f"/bridge/{version}/linux-amd64")
        assert (answer.status, answer.headers["X-Checksum-Sha256"]) == (200, digest)


async def test_a_replaced_bridge_has_its_new_digest(folder: Path, client: TestClient) -> None:
    put(folder, "0.1.0", "linux-amd64", b"first")
    await client.get("/bridge/0.1.0/linux-amd64")
    digest = put(folder, "0.1.0", "linux-amd64", b"the second")

    assert (await (await client.get("/bridge/0.1.0/linux-amd64/sha256")).text()).strip() == digest


async def test_what_is_not_there_is_told_with_what_is(folder: Path, client: TestClient) -> None:
    put(folder, "0.1.0", "linux-amd64", b"content")

    answer = await client.get("/bridge/0.9.0/linux-s390x")

    assert answer.status == 404
    assert await answer.text() == ("no bridge 0.9.0 for linux-s390x in http.bridges; there are: 0.1.0/linux-amd64\n")


async def test_a_folder_that_is_not_there_serves_nothing(client: TestClient) -> None:
    answer = await client.get("/bridge/0.1.0/linux-amd64")

    assert (answer.status, (await answer.text()).endswith("there are: none\n")) == (404, True)


@pytest.mark.parametrize(
    "path",
    [
        "/bridge/../secret",
        "/bridge/%2e%2e/secret",
        "/bridge/..%2fsecret/linux-amd64",
        "/bridge/%2e%2e%2f%2e%2e/linux-amd64",
        "/bridge/./linux-amd64",
        "/bridge/../linux-amd64",
        "/bridge/0.1.0/..",
        "/bridge/0.1.0/%2e%2e-x",
        "/bridge/0.1.0/linux-amd64/../../../secret",
        "/bridge/0.1.0/linux-amd64%00",
        "/bridge/0.1.0%5c..%5csecret/linux-amd64",
        "/bridge//etc/passwd",
        "/bridge/0.1.0/linux-amd64/skywalking-bridge",
        "/bridge/" + "9" * 100 + "/linux-amd64",
    ],
)
async def test_no_path_leads_out_of_the_folder(folder: Path, client: TestClient, path: str) -> None:
    put(folder, "0.1.0", "linux-amd64", b"content")
    put(folder.parent, "linux-amd64", "linux-amd64", b"hunter2")

    answer = await asked_as_written(client, path)

    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), answer
    assert b"hunter2" not in answer


async def asked_as_written(client: TestClient, path: str) -> bytes:
    """A client would tidy the path up before it sends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_a_link_that_leads_out_of_the_folder_is_not_followed(folder: Path, client: TestClient) -> None:
    (folder / "0.1.0" / "linux-amd64").mkdir(parents=True)
    (folder / "0.1.0" / "linux-amd64" / "skywalking-bridge").symlink_to(folder.parent / "secret")

    answer = await client.get("/bridge/0.1.0/linux-amd64")

    assert answer.status == 404
    assert "hunter2" not in await answer.text()


async def test_a_download_can_be_asked_for_without_its_body(folder: Path, client: TestClient) -> None:
    digest = put(folder, "0.1.0", "linux-amd64", b"content")

    answer = await client.head("/bridge/0.1.0/linux-amd64")

    assert (answer.headers["Content-Length"], answer.headers["X-Checksum-Sha256"]) == ("7", digest)
