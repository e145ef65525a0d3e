"""Each thing that can be wrong between the bridge and the service is found, and comes with what to do."""

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


def words(section: Section) -> str:
    return "\n".join(f"{one.level} {one.message} -> {one.hint}" for one in section.findings)


@asynccontextmanager
async def described(path: Path, answer: pb.DescribeResponse, *, serving: bool = True) -> AsyncIterator[None]:
    class Service(rpc.MetricProviderServicer):
        async def Describe(self, *_: Any) -> pb.DescribeResponse:  # noqa: N802
            return answer

    server = grpc.aio.server()
    rpc.add_MetricProviderServicer_to_server(Service(), server)
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    states = health_pb2.HealthCheckResponse
    await healthy.set("", states.SERVING if serving else states.NOT_SERVING)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    os.chmod(path, 0o600)  # noqa: PTH101 - one call of a test, nobody waits
    try:
        yield
    finally:
        await server.stop(None)


async def test_a_service_that_serves_is_well_on_a_socket_and_on_a_port(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    async with open_server(CONFIG, Endpoint(path, None)):
        on_socket = await check_service(path, None, None)
    async with open_server(CONFIG, Endpoint(None, "127.0.0.1:0")) as server:
        on_port = await check_service(None, f"127.0.0.1:{server.port}", None)

    assert [one.message for one in on_socket.findings] == [
        f"it takes connections (mode 0660, user {os.getuid()}, group {os.getgid()})",
        "it serves",
        "skywalking 0.1.0, contract 1.0",
    ]
    assert on_socket.level is on_port.level is Level.OK


@pytest.mark.parametrize("there", ["nothing", "no folder", "a file", "a socket left behind"])
async def test_a_socket_that_is_none_is_a_problem(tmp_path: Path, there: str) -> None:
    path = tmp_path / "p.sock"
    match there:
        case "no folder":
            path = tmp_path / "none" / "p.sock"
        case "a file":
            path.touch()
        case "a socket left behind":
            with socket.socket(socket.AF_UNIX) as left:
                left.bind(str(path))

    section = await check_service(path, None, None)

    assert section.level is Level.PROBLEM
    assert {
        "nothing": "there is no socket -> start it: skywalking-provider serve",
        "no folder": "does not exist -> mount the volume",
        "a file": "it is no socket -> remove it",
        "a socket left behind": "nobody listens on it any more -> start it",
    }[there] in words(section)


async def test_a_socket_for_everybody_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    async with open_server(CONFIG, Endpoint(path, None)):
        path.chmod(0o666)
        section = await check_service(path, None, None)

    assert "everybody on this machine may connect (mode 0666" in words(section)
    assert 'set socketMode to "0660"' in words(section)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """pytest's own folders are closed to other users."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("mode", "group", "expected"),
    [
        (0o660, 4711, "it serves"),
        (0o660, 4712, "user 4710 may not connect"),
        (0o600, 4711, "user 4710 may not connect"),
    ],
)
async def test_another_user_connects_by_the_group_only(open_folder: Path, mode: int, group: int, expected: str) -> None:
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
    if expected != "it serves":
        assert "share a group" in output.decode()


async def test_a_service_that_stops_is_a_problem(tmp_path: Path) -> None:
    answer = pb.DescribeResponse(contract_version="1.0", provider="skywalking", version="0.1.0")
    async with described(tmp_path / "p.sock", answer, serving=False):
        section = await check_service(tmp_path / "p.sock", None, None)

    assert "it says NOT_SERVING -> it starts or stops; its log says which" in words(section)


@pytest.mark.parametrize(
    ("contract", "version", "level", "told"),
    [
        ("2.0", "0.1.0", Level.PROBLEM, "this program speaks 1.0 -> upgrade bridge and service together"),
        ("1.7", "9.9.9", Level.NOTE, "this program is 0.1.0 -> restart the service if it was to be upgraded"),
    ],
)
async def test_another_version_is_told(tmp_path: Path, contract: str, version: str, level: Level, told: str) -> None:
    answer = pb.DescribeResponse(contract_version=contract, provider="skywalking", version=version)
    async with described(tmp_path / "p.sock", answer):
        section = await check_service(tmp_path / "p.sock", None, None)

    assert section.level is level
    assert told in words(section)


async def test_something_else_that_listens_is_told(tmp_path: Path) -> None:
    server = grpc.aio.server()
    server.add_insecure_port(f"unix:{tmp_path / 'p.sock'}")
    await server.start()
    (tmp_path / "p.sock").chmod(0o600)
    section = await check_service(tmp_path / "p.sock", None, None)
    await server.stop(None)

    assert "UNIMPLEMENTED" in words(section)
    assert "is it this service that listens there?" in words(section)


async def test_a_port_without_a_service_is_told() -> None:
    section = await check_service(None, "127.0.0.1:9", None)

    assert "no connection" in words(section)
    assert "--tls-ca, --tls-cert, --tls-key" in words(section)


def program(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "level", "told"),
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
            "this service speaks contract",
        ),
        ("#!/bin/sh\necho hello", Level.PROBLEM, "it is no skywalking-bridge: it answered 'hello'"),
        ("#!/bin/sh\nexit 3", Level.PROBLEM, "exit code 3"),
        ("\x7fELF nonsense", Level.PROBLEM, "it is no program for this machine"),
    ],
)
async def test_a_bridge_is_started_to_tell_its_version(tmp_path: Path, text: str, level: Level, told: str) -> None:
    section = await check_bridge(program(tmp_path / "bridge", text))

    assert section.level is level, words(section)
    assert told in words(section)


async def test_a_bridge_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skywalking_provider.tools.doctor.check_bridge._TIMEOUT_SECONDS", 0.2)

    section = await check_bridge(program(tmp_path / "bridge", "#!/bin/sh\nexec sleep 600"))

    assert "did not tell its version" in words(section)


async def test_a_bridge_that_is_not_there_or_may_not_be_executed_is_told(tmp_path: Path) -> None:
    assert "there is no such file" in words(await check_bridge(tmp_path / "none"))
    assert "it is no file" in words(await check_bridge(tmp_path))
    assert "chmod 0755" in words(await check_bridge(program(tmp_path / "bridge", "#!/bin/sh", 0o644)))


async def test_the_real_bridge_is_well() -> None:
    assert (await check_bridge(Path(__file__).parents[3] / ".cache/bin/skywalking-bridge")).level is Level.OK
