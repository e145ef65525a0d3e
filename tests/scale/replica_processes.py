"""Replicas of the real service: one process per loopback address on a common port, as pods of a Deployment are."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = Path(__file__).parents[2]
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class Replica:
    """One replica of the service."""

    def __init__(self, process: asyncio.subprocess.Process, listen: str, log: Path) -> None:
        self._process = process
        self._listen = listen
        self._log = log

    async def wait_until_serving(self) -> None:
        """Wait until the health check reports SERVING."""
        async with grpc.aio.insecure_channel(self._listen, [("grpc.min_reconnect_backoff_ms", 50)]) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=60
            )
            assert (await check).status == health_pb2.HealthCheckResponse.SERVING

    def logged_measurements(self) -> list[dict[str, Any]]:
        """Return the log lines of its measurements, oldest first: analysisrun, phase, message."""
        lines = (json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if "analysisrun" in line]

    def kill(self) -> None:
        """Kill the process without a warning, as a failing node does."""
        self._process.kill()

    def suspend(self) -> None:
        """Stop the process from running; its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the process run again."""
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def start_replica(host: str, port: int, config: Path) -> AsyncIterator[Replica]:
    """Start a replica and end it with the context."""
    log = config.parent / f"{host}.log"
    listen = f"{host}:{port}"
    command = ("serve", "--config", str(config), "--listen", listen, "--log-format", "json", "--drain", "1s")
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skywalking_provider", *command),
            stdout=output,
            stderr=output,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    try:
        yield Replica(process, listen, log)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def start_replicas(folder: Path, url: str) -> AsyncIterator[tuple[int, list[Replica]]]:
    """Start a replica on each of HOSTS on a common port, with the OAP at this URL; wait until all serve."""
    config = folder / "config.yaml"
    backend = {"url": url, "cache": {"responseTtl": "0s", "verdictTtl": "0s"}, "clockTtl": "0s", "timeout": "2s"}
    config.write_text(yaml.safe_dump({"backends": {"prod": backend}}))
    port = _find_free_port()
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(start_replica(host, port, config)) for host in HOSTS]
        await asyncio.gather(*(member.wait_until_serving() for member in members))
        yield port, members


def _find_free_port() -> int:
    with socket.create_server((HOSTS[0], 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
