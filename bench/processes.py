"""The processes of a bench: the static OAP, our service, and the callers that load a side."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.cpu_affinity import ROOT, SHIPPED_PYTHON, Cores

_BINARIES = ROOT / ".cache/bin"
_POLL_SECONDS = 0.002
_START_TIMEOUT_SECONDS = 60.0

LoadSettings = dict[str, Any]
"""What a caller is told; bridge/internal/bench/load.go has the keys."""


class StaticOap:
    """The static OAP: a fixed price for an answer, and an account of who asked for what."""

    def __init__(self, url: str) -> None:
        self.url = url

    def configure(self, *, delay_ms: float = 20.0, workers: int = 16, services: int = 1000) -> None:
        """Set the price, and begin a new account. `workers` is how many are answered at once; 0 is no limit."""
        body = json.dumps({"delayMs": delay_ms, "workers": workers, "services": services})
        self._send(urllib.request.Request(f"{self.url}/settings", body.encode(), method="PUT"))  # noqa: S310 - ours

    def fetch_statistics(self) -> dict[str, Any]:
        """The account: requests by kind, and what the OAP itself took, in milliseconds."""
        counted: dict[str, Any] = json.loads(self._send(urllib.request.Request(f"{self.url}/counted")))  # noqa: S310
        return counted

    def _send(self, request: urllib.request.Request) -> bytes:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            body: bytes = answer.read()
            return body


@contextmanager
def start_oap(cores: Cores) -> Iterator[StaticOap]:
    """The OAP, on its own core."""
    with _start_process(_pinned_command(cores.oap, _BINARIES / "argo-bench", "oap"), stdout=subprocess.PIPE) as process:
        yield StaticOap(process.stdout.readline().strip())


class ServiceProcess:
    """Our service, ready.

    Attributes:
        socket: Where it answers.
        pid: Its process.
        ready_seconds: From the start of the process to SERVING.
    """

    def __init__(self, socket: Path, pid: int, ready_seconds: float) -> None:
        self.socket = socket
        self.pid = pid
        self.ready_seconds = ready_seconds


@contextmanager
def start_service(cores: Cores, folder: Path, url: str, **backend: Any) -> Iterator[ServiceProcess]:
    """Our service as it is shipped, alone on its core; more keys of its backend as in docs/configuration.md."""
    config, socket, log = folder / "config.yaml", folder / "provider.sock", folder / "service.log"
    config.write_text(yaml.safe_dump({"backends": {"bench": {"url": url} | backend}}))
    command = (SHIPPED_PYTHON, "-m", "skywalking_provider", "serve", "--config", config, "--socket", socket)
    began = time.monotonic()
    with log.open("ab") as errors, _start_process(_pinned_command(cores.service, *command), stderr=errors) as process:
        _wait_until_serving(socket, process)
        yield ServiceProcess(socket, process.pid, time.monotonic() - began)


def _wait_until_serving(socket: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + _START_TIMEOUT_SECONDS
    while not socket.exists():
        _pause_while_starting(process, until)
    with grpc.insecure_channel(f"unix:{socket}", [("grpc.min_reconnect_backoff_ms", 5)]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                answer = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.RpcError:
                _pause_while_starting(process, until)
                continue
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            _pause_while_starting(process, until)


def _pause_while_starting(process: subprocess.Popen[str], deadline: float) -> None:
    if process.poll() is not None or time.monotonic() > deadline:
        raise SystemExit(f"bench: the service does not start (exit {process.returncode}); see its log")
    time.sleep(_POLL_SECONDS)


class Caller:
    """Puts loads on one side; the process lives as long as its side's connections."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Of the caller; its plugin is a child."""
        return self._process.pid

    def run_load(self, load: LoadSettings) -> dict[str, Any]:
        """Put a load on the side, and give what came of it."""
        self._process.stdin.write(json.dumps(load) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: the caller ended (exit {self._process.wait()})")
        borne: dict[str, Any] = json.loads(line)
        return borne


@contextmanager
def start_caller(cores: Cores, side: str, *, url: str, socket: Path) -> Iterator[Caller]:
    """A caller of a side: ours, service, echo, built-in or bare."""
    where = cores.provider_caller if side in ("ours", "service") else cores.peers
    command = _pinned_command(
        where,
        *(_BINARIES / "argo-bench", "load", "--system", side, "--oap", url, "--socket", socket),
        *("--bridge", _BINARIES / "skywalking-bridge"),
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with _start_process(command, **pipes) as process:
        yield Caller(process)
        process.stdin.close()
        process.wait(timeout=10)


def _pinned_command(cores: str, *command: str | Path) -> list[str]:
    return ["taskset", "-c", cores, *(str(part) for part in command)]


@contextmanager
def _start_process(command: list[str], **pipes: Any) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"TZ": "UTC", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, text=True, **pipes)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
