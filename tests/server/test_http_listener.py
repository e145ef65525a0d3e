"""What machines ask over HTTP: alive, ready, counted. No backend has a say in it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skywalking_provider.config import Config, ConfigError
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import RunningServer, open_server


def config_of(url: str = "http://127.0.0.1:9", **keys: Any) -> Config:
    return Config.model_validate({"backends": {"prod": {"url": url}}, "http": {"listen": "127.0.0.1:0"}} | keys)


@asynccontextmanager
async def listening(folder: Path, config: Config) -> AsyncIterator[tuple[RunningServer, aiohttp.ClientSession]]:
    async with open_server(config, Endpoint(folder / "p.sock", None)) as server:
        base = f"http://{server.addresses['http']}"
        async with aiohttp.ClientSession(base) as session:
            yield server, session


async def status_of(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as answer:
        return answer.status


async def test_it_is_alive_and_ready_while_no_backend_can_be_reached(tmp_path: Path) -> None:
    async with listening(tmp_path, config_of()) as (_, session):
        assert await status_of(session, "/healthz") == 200
        assert await status_of(session, "/readyz") == 200


async def test_no_probe_asks_a_backend(tmp_path: Path) -> None:
    async with MockOap("healthy-canary") as oap, listening(tmp_path, config_of(oap.url)) as (_, session):
        for path in ("/healthz", "/readyz", "/metrics"):
            assert await status_of(session, path) == 200

        assert not oap.requests


async def test_a_service_that_stops_is_not_ready_first_and_alive_to_the_end(tmp_path: Path) -> None:
    async with listening(tmp_path, config_of()) as (server, session):
        await server.drain(5)

        assert await status_of(session, "/readyz") == 503
        assert await status_of(session, "/healthz") == 200
        assert await status_of(session, "/metrics") == 200


async def test_without_the_key_nothing_listens(tmp_path: Path) -> None:
    config = Config.model_validate({"backends": {"prod": {"url": "http://127.0.0.1:9"}}})

    async with open_server(config, Endpoint(tmp_path / "p.sock", None)) as server:
        assert server.addresses == {}


async def test_only_get_is_answered_and_nothing_else_is_there(tmp_path: Path) -> None:
    async with listening(tmp_path, config_of()) as (_, session):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            async with session.request(method, "/metrics") as answer:
                assert answer.status == 405
        for path in ("/", "/bridge/0.1.0/linux-amd64", "/metrics/../etc/passwd"):
            assert await status_of(session, path) == 404


async def test_no_answer_tells_the_versions_of_what_we_are_made_of(tmp_path: Path) -> None:
    async with listening(tmp_path, config_of()) as (_, session):
        for path in ("/healthz", "/metrics", "/nothing"):
            async with session.get(path) as answer:
                assert "Server" not in answer.headers


async def test_an_address_in_use_is_named_with_its_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = config_of(http={"listen": f"127.0.0.1:{taken.getsockname()[1]}"})

        with pytest.raises(ConfigError, match=r"http\.listen: cannot serve on 127\.0\.0\.1:\d+: is it in use"):
            async with open_server(config, Endpoint(tmp_path / "p.sock", None)):
                pass


def test_the_command_says_where_it_listens(tmp_path: Path) -> None:
    flags = ["--socket", str(tmp_path / "p.sock"), "--http", "127.0.0.1:0"]
    with subprocess.Popen(
        [sys.executable, "-m", "skywalking_provider", "serve", *flags],
        env=os.environ | {"SW_OAP_ADDRESS": "http://127.0.0.1:9"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        ready = json.loads(process.stderr.readline())
        process.terminate()

    assert ready["msg"] == "ready"
    assert ready["http"].startswith("127.0.0.1:")
    assert not ready["http"].endswith(":0")


@pytest.mark.parametrize("listen", ["9464", ":9464", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "[::1]"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match=r"is not host:port, such as 127\.0\.0\.1:9464"):
        config_of(http={"listen": listen})
