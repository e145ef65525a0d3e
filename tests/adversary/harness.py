"""Processes of an adversarial trial: the service as it ships (uvloop), a mock OAP, a hostile OAP, and gRPC clients."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
import pytest
import yaml

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 60.0  # bounds a start that fails; a start takes a second
HEALTHY_BLOCK: Final[Mapping[str, Any]] = {
    "sli": "success-rate",
    "window": "3m",
    "service": "reviews.bookinfo",
    "backend": "good",
    "since": "window",
}
"""A block that is Successful on the mock's scenario `healthy-canary`, with the condition `result >= 0.5`."""

_CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
)
_METHOD_CONFIG = re.search(
    r'"methodConfig": .*?\}\}\]', (ROOT / "bridge/internal/provider/sidecar.go").read_text(), re.DOTALL
)
assert _METHOD_CONFIG
BRIDGE_RETRIES: Final = ("grpc.service_config", f"{{{_METHOD_CONFIG[0]}}}")
"""Channel option with the retry policy of the bridge."""


class StartError(Exception):
    """A process ended, or did not print the expected text, before it was ready."""


class Process:
    """A process whose output is a file.

    Args:
        arguments: Program and arguments.
        log: File for its standard output and standard error.
        options: Further arguments of `subprocess.Popen`.
    """

    def __init__(self, arguments: list[str], log: Path, **options: Any) -> None:
        self.log = log
        with log.open("wb") as output:
            options = {"stdout": output, "stderr": subprocess.STDOUT} | options
            self.popen = subprocess.Popen(arguments, start_new_session=True, cwd=ROOT, **options)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.popen.pid

    def wait_for(self, text: str) -> str:
        """Wait until the output contains a text, and return the line with it.

        Raises:
            StartError: The process ended first, or the text is not there after 60 s.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            output = self.log.read_text(errors="replace")
            for line in output.splitlines(keepends=True):
                if text in line and line.endswith("\n"):
                    return line
            if self.popen.poll() is not None:
                raise StartError(f"exit code {self.popen.returncode}: {output[-2000:]}")
            time.sleep(0.05)
        raise StartError(f"{text!r} not in the output after {START_SECONDS:.0f} s: {output[-2000:]}")

    def resident_mib(self, field_name: str = "VmRSS") -> float:
        """Return the resident memory in MiB; with `VmHWM` its peak."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field_name}:"):
                return int(line.split()[1]) / 1024
        raise ProcessLookupError(self.pid)

    def reset_peak(self) -> None:
        """Make the peak of the resident memory (`VmHWM`) that of now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def cpu_seconds(self, *, main_thread: bool = False) -> float:
        """Return the CPU time of the process in seconds, without its children; or that of its main thread."""
        folder = Path(f"/proc/{self.pid}")
        file = folder / "task" / str(self.pid) / "stat" if main_thread else folder / "stat"
        fields = file.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def children(self, name: str = "") -> list[int]:
        """Return the process ids of the children whose command line contains a text."""
        found = []
        for children in Path(f"/proc/{self.pid}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for child in children.read_text().split():
                    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                        if name in Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace"):
                            found.append(int(child))
        return found

    def stop(self) -> int:
        """Terminate the process, kill it after ten seconds, and return its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()


_Kind = TypeVar("_Kind", bound=Process)


class Service(Process):
    """The service, on a unix socket unless `listen` is configured.

    Attributes:
        socket: Path of its socket.
        target: Its endpoint as a gRPC target.
    """

    socket: Path
    target: str

    def stub(self, *, retries: bool = False) -> rpc.MetricProviderStub:
        """Return a client with a connection of its own, closed with the process that uses it.

        Args:
            retries: Retry as the bridge does.
        """
        options = (*_CHANNEL_OPTIONS, BRIDGE_RETRIES if retries else ("grpc.enable_retries", 0))
        return rpc.MetricProviderStub(grpc.insecure_channel(self.target, options))

    def address(self, listener: str) -> str:
        """Return the address (host:port) of an HTTP listener: `http` or `page`."""
        return str(json.loads(self.wait_for('"ready"'))[listener])

    def metric(self, name: str, listener: str = "http", **labels: str) -> float:
        """Return the sum of a metric of /metrics over its series with the given labels; 0 if there is none."""
        with urllib.request.urlopen(f"http://{self.address(listener)}/metrics", timeout=30) as response:
            lines = response.read().decode().splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.partition("{")[0].partition(" ")[0] == name
            and all(f'{label}="{value}"' in line for label, value in labels.items())
        )


@dataclass
class HostileOap:
    """An OAP that forwards requests to the mock, and changes the responses as set by `behave`."""

    process: Process
    url: str

    def behave(self, kind: str, **details: Any) -> None:
        """Set the behaviour of the next responses; see `hostile_oap.py` for the kinds."""
        body = json.dumps({"kind": kind, **details}).encode()
        request = urllib.request.Request(f"{self.url}/behaviour", data=body, method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            pass


class Trial:
    """Starts the processes of one trial in a folder, and stops them at the end of the context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def start_mock(self, scenario: str = "healthy-canary", *arguments: str) -> str:
        """Start the mock OAP, and return its URL."""
        process = self._start(
            Process,
            [*_provider("mock-oap"), "--listen", "127.0.0.1:0", "--scenario", scenario, *arguments],
            "mock",
        )
        return "http://" + process.wait_for("http://").split("http://")[1].split("/")[0]

    def start_hostile_oap(self, upstream: str) -> HostileOap:
        """Start an OAP that forwards to the mock until `behave` is called."""
        process = self._start(Process, [sys.executable, "-m", "tests.adversary.hostile_oap", upstream], "hostile")
        return HostileOap(process, process.wait_for("listening").split()[1])

    def start_service(
        self, backends: Mapping[str, Any], *, config: Mapping[str, Any] | None = None, **options: Any
    ) -> Service:
        """Start the service with backends and wait until it is ready.

        Args:
            backends: Configuration of each backend by name; a text is its URL.
            config: Further keys of the configuration. `http` is on a free port of loopback unless given.
            options: Further arguments of `subprocess.Popen`.
        """
        service = self.launch_service(backends, config=config, **options)
        service.wait_for('"ready"')
        return service

    def launch_service(
        self,
        backends: Mapping[str, Any],
        *,
        config: Mapping[str, Any] | None = None,
        log_format: str = "json",
        **options: Any,
    ) -> Service:
        """Start the service as `start_service` does, without waiting for it."""
        number = len(list(self.folder.glob("service*.yaml")))
        path, file = self.folder / f"p{number}.sock", self.folder / f"service{number}.yaml"
        listen = (config or {}).get("listen")
        values = {
            "apiVersion": "v1",
            **({} if listen else {"socket": str(path)}),
            "http": {"listen": "127.0.0.1:0"},
            "backends": {name: {"url": one} if isinstance(one, str) else one for name, one in backends.items()},
        }
        file.write_text(yaml.safe_dump({**values, **(config or {})}))
        service = self._start(
            Service,
            [*_provider("serve"), "--config", str(file), "--log-format", log_format],
            f"service{number}",
            **options,
        )
        service.socket, service.target = path, listen or f"unix:{path}"
        return service

    def probe(self, service: Service, **options: Any) -> "Probe":
        """Start another namespace's measurements; see `Probe`."""
        return self._stack.enter_context(Probe(service, **options))

    def _start(self, kind: type[_Kind], arguments: list[str], name: str, **options: Any) -> _Kind:
        process = kind(arguments, self.folder / f"{name}.log", env=os.environ | {"TZ": "UTC"}, **options)
        self._stack.callback(process.stop)
        return process


@dataclass
class Probe:
    """Measurements of another namespace, one after another, in a thread.

    Attributes:
        service: The service.
        block: Block of the metric.
        namespace: Namespace of the AnalysisRun.
        condition: Success condition, or a function that returns it for the number of a measurement.
        interval: Seconds between two measurements.
        timeout: Deadline of one measurement in seconds.
        vary: Returns the block of a measurement by its number, for blocks that are not cached.
        retries: Whether calls are retried as the bridge retries them.
    """

    service: Service
    block: Mapping[str, Any] = field(default_factory=lambda: HEALTHY_BLOCK)
    namespace: str = "team-b"
    condition: str | Callable[[int], str] = "result >= 0.5"
    interval: float = 0.2
    timeout: float = 14.5
    vary: Callable[[Mapping[str, Any], int], Mapping[str, Any]] = lambda block, number: block  # noqa: ARG005
    retries: bool = False

    def __post_init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.seconds: list[float] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._measure_repeatedly, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def longest(self) -> float:
        """Return the duration of the longest measurement in seconds."""
        return max(self.seconds, default=0.0)

    def stop(self) -> Counter[str]:
        """Stop after the measurement in flight, and return the number of outcomes: phases and gRPC status codes."""
        self._stopped.set()
        self._thread.join()
        return self.outcomes

    def _measure_repeatedly(self) -> None:
        stub, number = self.service.stub(retries=self.retries), 0
        while not self._stopped.wait(self.interval if number else 0):
            number += 1
            success = self.condition if isinstance(self.condition, str) else self.condition(number)
            request = run_request(self.vary(self.block, number), namespace=self.namespace, success=success)
            began = time.monotonic()
            self.outcomes[outcome(stub, request, self.timeout)] += 1
            self.seconds.append(time.monotonic() - began)


def free_address() -> str:
    """Return an address (host:port) of loopback that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def slow(*values: object) -> Any:
    """Return parameters of a test that are tried by `make adversary` only."""
    return pytest.param(*values, marks=pytest.mark.slow)


def run_request(
    block: Mapping[str, Any] | bytes,
    *,
    namespace: str = "team-a",
    name: str = "metric",
    success: str = "",
    failure: str = "",
) -> pb.RunRequest:
    """Build the request that starts a measurement."""
    encoded = block if isinstance(block, bytes) else json.dumps(block).encode()
    metric = pb.Metric(name=name, block=encoded, success_condition=success, failure_condition=failure)
    return pb.RunRequest(metric=metric, run=pb.Run(namespace=namespace, name="run-1", uid="u"))


def phase_of(measurement: pb.Measurement) -> str:
    """Return the phase as Argo writes it."""
    return pb.Phase.Name(measurement.phase).removeprefix("PHASE_").capitalize()


def outcome(stub: rpc.MetricProviderStub, request: pb.RunRequest, timeout: float) -> str:
    """Return the phase of a measurement, or the gRPC status code of a call that failed."""
    try:
        return phase_of(stub.Run(request, timeout=timeout))
    except grpc.RpcError as error:
        return str(error.code().name)


def _provider(command: str) -> list[str]:
    return [sys.executable, "-m", "skywalking_provider", command]
