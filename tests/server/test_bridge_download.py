"""Bridge downloads: the binaries of the folder are served, and no other file of the machine."""

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
    async def empty_response(_: object) -> aiohttp.web.Response:
        return aiohttp.web.Response()

    app = build_http_app(lambda: True, empty_response, BridgeDownloads(folder))
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_download_returns_the_bridge_of_the_version_and_platform(folder: Path, client: TestClient) -> None:
    content = b"\x7fELF" + bytes(range(256)) * 4096
    digest = put(folder, "0.1.0", "linux-arm64", content)
    put(folder, "0.1.0", "linux-amd64", b"another")

    response = await client.get("/bridge/0.1.0/linux-arm64")

    assert await response.read() == content
    assert response.headers["X-Checksum-Sha256"] == digest
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert await (await client.get("/bridge/0.1.0/linux-arm64/sha256")).text() == f"{digest}\n"


async def test_download_of_an_older_version_is_served(folder: Path, client: TestClient) -> None:
    digests = {version: put(folder, version, "linux-amd64", version.encode()) for version in ("0.1.0", "0.2.0-rc.1")}

    for version, digest in digests.items():
        response = await client.get(f"/bridge/{version}/linux-amd64")
        assert (response.status, response.headers["X-Checksum-Sha256"]) == (200, digest)


async def test_digest_after_replacement_is_recomputed(folder: Path, client: TestClient) -> None:
    put(folder, "0.1.0", "linux-amd64", b"first")
    await client.get("/bridge/0.1.0/linux-amd64")
    digest = put(folder, "0.1.0", "linux-amd64", b"the second")

    assert (await (await client.get("/bridge/0.1.0/linux-amd64/sha256")).text()).strip() == digest


async def test_download_unknown_version_lists_the_available_ones(folder: Path, client: TestClient) -> None:
    put(folder, "0.1.0", "linux-amd64", b"content")

    response = await client.get("/bridge/0.9.0/linux-s390x")

    assert response.status == 404
    assert await response.text() == (
        "bridge 0.9.0 for linux-s390x not found in http.bridges. Available: 0.1.0/linux-amd64.\n"
    )


async def test_download_folder_missing_returns_not_found(client: TestClient) -> None:
    response = await client.get("/bridge/0.1.0/linux-amd64")

    assert (response.status, (await response.text()).endswith("Available: none.\n")) == (404, True)


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
async def test_download_path_traversal_is_rejected(folder: Path, client: TestClient, path: str) -> None:
    put(folder, "0.1.0", "linux-amd64", b"content")
    put(folder.parent, "linux-amd64", "linux-amd64", b"hunter2")

    response = await send_raw_path(client, path)

    assert response.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), response
    assert b"hunter2" not in response


async def send_raw_path(client: TestClient, path: str) -> bytes:
    """Send a GET request by a plain socket: an HTTP client would normalise the path."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_download_symlink_out_of_the_folder_is_not_followed(folder: Path, client: TestClient) -> None:
    (folder / "0.1.0" / "linux-amd64").mkdir(parents=True)
    (folder / "0.1.0" / "linux-amd64" / "skywalking-bridge").symlink_to(folder.parent / "secret")

    response = await client.get("/bridge/0.1.0/linux-amd64")

    assert response.status == 404
    assert "hunter2" not in await response.text()


async def test_download_head_request_returns_headers_only(folder: Path, client: TestClient) -> None:
    digest = put(folder, "0.1.0", "linux-amd64", b"content")

    response = await client.head("/bridge/0.1.0/linux-amd64")

    assert (response.headers["Content-Length"], response.headers["X-Checksum-Sha256"]) == ("7", digest)
