"""Command `skywalking-provider health`, which probes run."""

import asyncio
import sys
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from skywalking_provider.config import BackendConfig, Config
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import open_server

CONFIG = Config(backends={"prod": BackendConfig.model_validate({"url": "http://127.0.0.1:9"})})


async def run_health(*arguments: str, **environment: str) -> tuple[int | None, str, str]:
    command = [sys.executable, "-m", "skywalking_provider", "health", *arguments]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment or None)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_health_running_service_exits_0(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    async with open_server(CONFIG, Endpoint(path, None)):
        assert await run_health("--socket", str(path)) == (0, "SERVING\n", "")


async def test_health_draining_service_exits_1(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    stopping = health.aio.HealthServicer()
    await stopping.enter_graceful_shutdown()
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(stopping, server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()

    assert await run_health("--socket", str(path)) == (1, "NOT_SERVING\n", "")

    await server.stop(None)


async def test_health_address_checks_a_tcp_service() -> None:
    async with open_server(CONFIG, Endpoint(None, "127.0.0.1:0")) as server:
        assert await run_health("--address", f"127.0.0.1:{server.port}") == (0, "SERVING\n", "")


async def test_health_socket_missing_is_reported(tmp_path: Path) -> None:
    code, out, err = await run_health("--socket", str(tmp_path / "none.sock"))

    assert (code, out) == (1, "")
    assert err.startswith(f"unix:{tmp_path}/none.sock: UNAVAILABLE")


@pytest.mark.parametrize("arguments", [[], ["--socket", "/a", "--address", "b:1"]])
async def test_health_needs_exactly_one_endpoint(arguments: list[str]) -> None:
    code, _, err = await run_health(*arguments)

    assert code == 2
    assert "exactly one of --socket and --address" in err
