"""Processes of a benchmark: the static OAP, the service, and the callers that load a system."""

import json
import os
import socket as sockets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.cpu_affinity import ROOT, SHIPPED_PYTHON, Cores

SERVICE_LOG = "service.log"
"""Name of the log of a service in its folder."""
_BINARIES = ROOT / ".cache/bin"
_POLL_SECONDS = 0.002
_START_TIMEOUT_SECONDS = 60.0

LoadSettings = dict[str, Any]
"""Settings of a load; bridge/internal/bench/load.go defines the keys."""


class StaticOap:
    """The static OAP: a constant response time, and counters of the requests."""

    def __init__(self, url: str) -> None:
        self.url = url

    def configure(
        self,
        *,
        delay_ms: float = 20.0,
        workers: int = 16,
        services: int = 1000,
        clock_ms: int = 0,
        hashes: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Set the response time and reset the counters.

        Args:
            delay_ms: Response time in milliseconds.
            workers: Number of requests processed at the same time; 0 means no limit.
            services: Number of services in the inventory.
            clock_ms: Time of its clock in milliseconds since 1970; 0 means the real time.
            hashes: Pod-template-hashes of the first services, the canary's first. Others have fixed ones.
        """
        settings = {"delayMs": delay_ms, "workers": workers, "services": services}
        body = json.dumps(settings | {"clockMs": clock_ms, "hashes": hashes})
        self._send(urllib.request.Request(f"{self.url}/settings", body.encode(), method="PUT"))  # noqa: S310 - a local server

    def fetch_statistics(self) -> dict[str, Any]:
        """Return the number of requests by kind and the OAP's own service time in milliseconds."""
        counters: dict[str, Any] = json.loads(self._send(urllib.request.Request(f"{self.url}/counters")))  # noqa: S310
        return counters

    def _send(self, request: urllib.request.Request) -> bytes:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            body: bytes = response.read()
            return body


@contextmanager
def start_oap(cores: Cores) -> Iterator[StaticOap]:
    """Start the static OAP on its own core."""
    with _start_process(_pinned_command(cores.oap, _BINARIES / "argo-bench", "oap"), stdout=subprocess.PIPE) as process:
        yield StaticOap(process.stdout.readline().strip())


class ServiceProcess:
    """The running service.

    Attributes:
        socket: Path of its Unix socket, which a replica does not have.
        pid: Process id.
        ready_seconds: Time from the start of the process until the health check reports SERVING.
    """

    def __init__(self, socket: Path, pid: int, ready_seconds: float) -> None:
        self.socket = socket
        self.pid = pid
        self.ready_seconds = ready_seconds


@contextmanager
def start_service(
    cores: Cores, folder: Path, url: str, others: Mapping[str, Any] = MappingProxyType({}), **backend: Any
) -> Iterator[ServiceProcess]:
    """Start the service with the image's runtime, alone on its core.

    Args:
        cores: Cores of the benchmark.
        folder: Folder for configuration, socket and log.
        url: URL of the OAP.
        others: Configurations of other backends by name. The callers' namespace may use none of them.
        backend: More keys of the backend, as in docs/configuration.md.
    """
    backends = {"bench": {"url": url} | backend, **others}
    socket = folder / "provider.sock"
    with _start_serving(cores, folder, backends, f"unix:{socket}", "--socket", str(socket)) as (process, seconds):
        yield ServiceProcess(socket, process.pid, seconds)


@contextmanager
def start_replica(cores: Cores, folder: Path, url: str, address: str) -> Iterator[ServiceProcess]:
    """Start a replica of the service on a loopback address (host:port), on the core of the service."""
    backends = {"bench": {"url": url}}
    with _start_serving(cores, folder, backends, address, "--listen", address) as (process, seconds):
        yield ServiceProcess(Path(), process.pid, seconds)


@contextmanager
def start_name_server(cores: Cores, hosts: Sequence[str]) -> Iterator[str]:
    """Start a DNS server on the core of the OAP; every name has these addresses. Return its own address."""
    command = _pinned_command(cores.oap, sys.executable, "-m", "bench.name_server", *hosts)
    with _start_process(command, stdout=subprocess.PIPE) as process:
        yield process.stdout.readline().strip()


@contextmanager
def _start_serving(
    cores: Cores, folder: Path, backends: Mapping[str, Any], target: str, *endpoint: str
) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """Start the service; return its process, and the time until it is serving."""
    config, log = folder / "config.yaml", folder / SERVICE_LOG
    config.write_text(yaml.safe_dump({"backends": backends}))
    command = (SHIPPED_PYTHON, "-m", "skywalking_provider", "serve", "--config", config, *endpoint)
    started_at = time.monotonic()
    with log.open("ab") as errors, _start_process(_pinned_command(cores.service, *command), stderr=errors) as process:
        _wait_until_serving(target, process)
        yield process, time.monotonic() - started_at


def _wait_until_serving(target: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while not _is_listening(target):
        _pause_while_starting(process, deadline)
    with grpc.insecure_channel(target, [("grpc.min_reconnect_backoff_ms", 5)]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                response = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.RpcError:
                _pause_while_starting(process, deadline)
                continue
            if response.status == health_pb2.HealthCheckResponse.SERVING:
                return
            _pause_while_starting(process, deadline)


def _is_listening(target: str) -> bool:
    """Return whether a server listens. gRPC alone waits for a second after a connection that was refused."""
    if target.startswith("unix:"):
        return Path(target.removeprefix("unix:")).exists()
    host, _, port = target.rpartition(":")
    with suppress(ConnectionRefusedError), sockets.create_connection((host, int(port)), timeout=1):
        return True
    return False


def _pause_while_starting(process: subprocess.Popen[str], deadline: float) -> None:
    if process.poll() is not None or time.monotonic() > deadline:
        raise SystemExit(f"bench: the service did not start (exit code {process.returncode}). Read service.log.")
    time.sleep(_POLL_SECONDS)


class Caller:
    """Load generator of one system; its process keeps the connections to the system open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Return the process id of the caller; its plugin is a child process."""
        return self._process.pid

    def run_load(self, load: LoadSettings) -> dict[str, Any]:
        """Put a load on the system and return the result."""
        self._process.stdin.write(json.dumps(load) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: the caller ended unexpectedly (exit code {self._process.wait()})")
        result: dict[str, Any] = json.loads(line)
        return result


@contextmanager
def start_caller(cores: Cores, system: str, *, url: str, socket: Path, replicas: str = "") -> Iterator[Caller]:
    """Start a caller of a system: provider, service, echo, built-in or bare.

    Args:
        cores: Cores of the benchmark.
        system: The system.
        url: URL of the OAP.
        socket: Socket of the service.
        replicas: Target of several replicas, instead of the socket.
    """
    caller_cores = cores.provider_caller if system in ("provider", "service") else cores.peers
    command = _pinned_command(
        caller_cores,
        *(_BINARIES / "argo-bench", "load", "--system", system, "--oap", url, "--socket", socket),
        *("--bridge", _BINARIES / "skywalking-bridge", "--replicas", replicas),
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
