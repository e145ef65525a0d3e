"""HTTP listener for machines: liveness, readiness and metrics, independent of the backends."""

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


def build_config(url: str = "http://127.0.0.1:9", **keys: Any) -> Config:
    return Config.model_validate({"backends": {"prod": {"url": url}}, "http": {"listen": "127.0.0.1:0"}} | keys)


@asynccontextmanager
async def open_service(folder: Path, config: Config) -> AsyncIterator[tuple[RunningServer, aiohttp.ClientSession]]:
    async with open_server(config, Endpoint(folder / "p.sock", None)) as server:
        base = f"http://{server.addresses['http']}"
        async with aiohttp.ClientSession(base) as session:
            yield server, session


async def get_status(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as response:
        return response.status


async def test_probes_backend_unavailable_report_alive_and_ready(tmp_path: Path) -> None:
    async with open_service(tmp_path, build_config()) as (_, session):
        assert await get_status(session, "/healthz") == 200
        assert await get_status(session, "/readyz") == 200


async def test_probes_send_no_request_to_a_backend(tmp_path: Path) -> None:
    async with MockOap("healthy-canary") as oap, open_service(tmp_path, build_config(oap.url)) as (_, session):
        for path in ("/healthz", "/readyz", "/metrics"):
            assert await get_status(session, path) == 200

        assert not oap.requests


async def test_probes_during_drain_report_not_ready_and_alive(tmp_path: Path) -> None:
    async with open_service(tmp_path, build_config()) as (server, session):
        await server.drain(5)

        assert await get_status(session, "/readyz") == 503
        assert await get_status(session, "/healthz") == 200
        assert await get_status(session, "/metrics") == 200


async def test_listener_without_configuration_is_not_opened(tmp_path: Path) -> None:
    config = Config.model_validate({"backends": {"prod": {"url": "http://127.0.0.1:9"}}})

    async with open_server(config, Endpoint(tmp_path / "p.sock", None)) as server:
        assert server.addresses == {}


async def test_listener_other_methods_and_paths_are_rejected(tmp_path: Path) -> None:
    async with open_service(tmp_path, build_config()) as (_, session):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            async with session.request(method, "/metrics") as response:
                assert response.status == 405
        for path in ("/", "/bridge/0.1.0/linux-amd64", "/metrics/../etc/passwd"):
            assert await get_status(session, path) == 404


async def test_responses_have_no_server_header(tmp_path: Path) -> None:
    async with open_service(tmp_path, build_config()) as (_, session):
        for path in ("/healthz", "/metrics", "/nothing"):
            async with session.get(path) as response:
                assert "Server" not in response.headers


async def test_listener_address_in_use_is_reported_with_its_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = build_config(http={"listen": f"127.0.0.1:{taken.getsockname()[1]}"})

        with pytest.raises(
            ConfigError, match=r"http\.listen: cannot listen on 127\.0\.0\.1:\d+: .*address already in use"
        ):
            async with open_server(config, Endpoint(tmp_path / "p.sock", None)):
                pass


def test_serve_command_logs_the_bound_address(tmp_path: Path) -> None:
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
def test_listen_malformed_address_is_rejected(listen: str) -> None:
    with pytest.raises(ValueError, match=r"is not host:port\. Write one such as 127\.0\.0\.1:9464"):
        build_config(http={"listen": listen})
