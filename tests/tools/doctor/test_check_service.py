"""Checks of the service and of the bridge: each problem is found and has a hint."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from skywalking_provider.config import BackendConfig, Config
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import open_server
from skywalking_provider.tools.doctor.check_bridge import check_bridge
from skywalking_provider.tools.doctor.check_service import check_service
from skywalking_provider.tools.doctor.findings import Level, Section

CONFIG = Config(backends={"prod": BackendConfig.model_validate({"url": "http://127.0.0.1:9"})})


def format_section(section: Section) -> str:
    return "\n".join(f"{one.level} {one.message} -> {one.hint}" for one in section.findings)


@asynccontextmanager
async def fake_service(path: Path, response: pb.DescribeResponse, *, serving: bool = True) -> AsyncIterator[None]:
    class Service(rpc.MetricProviderServicer):
        async def Describe(self, *_: Any) -> pb.DescribeResponse:  # noqa: N802
            return response

    server = grpc.aio.server()
    rpc.add_MetricProviderServicer_to_server(Service(), server)
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    states = health_pb2.HealthCheckResponse
    await healthy.set("", states.SERVING if serving else states.NOT_SERVING)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    os.chmod(path, 0o600)  # noqa: PTH101 - one call in a test
    try:
        yield
    finally:
        await server.stop(None)


async def test_check_service_serving_on_socket_or_port_is_ok(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    async with open_server(CONFIG, Endpoint(path, None)):
        on_socket = await check_service(path, None, None)
    async with open_server(CONFIG, Endpoint(None, "127.0.0.1:0")) as server:
        on_port = await check_service(None, f"127.0.0.1:{server.port}", None)

    assert [one.message for one in on_socket.findings] == [
        f"it accepts connections (mode 0660, user {os.getuid()}, group {os.getgid()})",
        "it is serving",
        "skywalking 0.1.0, contract 1.0",
    ]
    assert on_socket.level is on_port.level is Level.OK


@pytest.mark.parametrize("existing", ["nothing", "no folder", "a file", "a stale socket"])
async def test_check_service_unusable_socket_is_a_problem(tmp_path: Path, existing: str) -> None:
    path = tmp_path / "p.sock"
    match existing:
        case "no folder":
            path = tmp_path / "none" / "p.sock"
        case "a file":
            path.touch()
        case "a stale socket":
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(str(path))

    section = await check_service(path, None, None)

    assert section.level is Level.PROBLEM
    assert {
        "nothing": "the socket does not exist -> Start it: skywalking-provider serve",
        "no folder": "does not exist -> Mount the shared volume",
        "a file": "it is not a socket -> Remove it",
        "a stale socket": "no process listens on it -> Start it",
    }[existing] in format_section(section)


async def test_check_service_socket_open_to_all_users_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    async with open_server(CONFIG, Endpoint(path, None)):
        path.chmod(0o666)
        section = await check_service(path, None, None)

    assert "every user on this machine may connect (mode 0666" in format_section(section)
    assert 'Set socketMode to "0660"' in format_section(section)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Folder for other users, who cannot enter those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change its user")
@pytest.mark.parametrize(
    ("mode", "group", "expected"),
    [
        (0o660, 4711, "it is serving"),
        (0o660, 4712, "user 4710 may not connect"),
        (0o600, 4711, "user 4710 may not connect"),
    ],
)
async def test_check_service_other_user_connects_only_by_the_group(
    open_folder: Path, mode: int, group: int, expected: str
) -> None:
    path = open_folder / "p.sock"
    script = """
import asyncio, os, pathlib, sys
from skywalking_provider.tools.doctor.check_service import check_service
os.setgroups([]), os.setgid(int(sys.argv[2])), os.setuid(4710)
section = asyncio.run(check_service(pathlib.Path(sys.argv[1]), None, None))
print(*(f"{one.message} -> {one.hint}" for one in section.findings), sep="\\n")
"""
    async with open_server(CONFIG, Endpoint(path, None)):
        path.chmod(mode)
        os.chown(path, -1, 4711)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(path), str(group), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()

    assert expected in output.decode()
    if expected != "it is serving":
        assert "share a group" in output.decode()


async def test_check_service_not_serving_is_a_problem(tmp_path: Path) -> None:
    response = pb.DescribeResponse(contract_version="1.0", provider="skywalking", version="0.1.0")
    async with fake_service(tmp_path / "p.sock", response, serving=False):
        section = await check_service(tmp_path / "p.sock", None, None)

    assert "its health status is NOT_SERVING -> Read its log: it is starting or stopping" in format_section(section)


@pytest.mark.parametrize(
    ("contract", "version", "level", "message"),
    [
        ("2.0", "0.1.0", Level.PROBLEM, "this program has contract 1.0 -> Upgrade bridge and service together"),
        ("1.7", "9.9.9", Level.NOTE, "this program is 0.1.0 -> Restart the service if it was upgraded"),
    ],
)
async def test_check_service_other_version_is_reported(
    tmp_path: Path, contract: str, version: str, level: Level, message: str
) -> None:
    response = pb.DescribeResponse(contract_version=contract, provider="skywalking", version=version)
    async with fake_service(tmp_path / "p.sock", response):
        section = await check_service(tmp_path / "p.sock", None, None)

    assert section.level is level
    assert message in format_section(section)


async def test_check_service_other_server_is_a_problem(tmp_path: Path) -> None:
    server = grpc.aio.server()
    server.add_insecure_port(f"unix:{tmp_path / 'p.sock'}")
    await server.start()
    (tmp_path / "p.sock").chmod(0o600)
    section = await check_service(tmp_path / "p.sock", None, None)
    await server.stop(None)

    assert "UNIMPLEMENTED" in format_section(section)
    assert "Check that this service listens there" in format_section(section)


async def test_check_service_closed_port_is_a_problem() -> None:
    section = await check_service(None, "127.0.0.1:9", None)

    assert "no connection" in format_section(section)
    assert "--tls-ca, --tls-cert, --tls-key" in format_section(section)


def program(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        (
            "#!/bin/sh\necho 'skywalking-bridge 0.1.0 (contract 1, argo-rollouts v1.10.2, go1.26)'",
            Level.OK,
            "contract 1",
        ),
        ("#!/bin/sh\necho 'skywalking-bridge 0.0.9 (contract 1, x)'", Level.NOTE, "this service is 0.1.0"),
        (
            "#!/bin/sh\necho 'skywalking-bridge 3.0.0 (contract 2, x)'",
            Level.PROBLEM,
            "this service has contract",
        ),
        ("#!/bin/sh\necho hello", Level.PROBLEM, "it is not a skywalking-bridge: it printed 'hello'"),
        ("#!/bin/sh\nexit 3", Level.PROBLEM, "exit code 3"),
        ("\x7fELF nonsense", Level.PROBLEM, "it is not a program for this machine"),
    ],
)
async def test_check_bridge_started_reports_its_version(tmp_path: Path, text: str, level: Level, message: str) -> None:
    section = await check_bridge(program(tmp_path / "bridge", text))

    assert section.level is level, format_section(section)
    assert message in format_section(section)


async def test_check_bridge_hanging_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skywalking_provider.tools.doctor.check_bridge._TIMEOUT_SECONDS", 0.2)

    section = await check_bridge(program(tmp_path / "bridge", "#!/bin/sh\nexec sleep 600"))

    assert "did not print its version" in format_section(section)


async def test_check_bridge_missing_or_not_executable_is_a_problem(tmp_path: Path) -> None:
    assert "the file does not exist" in format_section(await check_bridge(tmp_path / "none"))
    assert "it is not a file" in format_section(await check_bridge(tmp_path))
    assert "chmod 0755" in format_section(await check_bridge(program(tmp_path / "bridge", "#!/bin/sh", 0o644)))


async def test_check_bridge_built_binary_is_ok() -> None:
    assert (await check_bridge(Path(__file__).parents[3] / ".cache/bin/skywalking-bridge")).level is Level.OK
