"""Processes of a soak test: the mock OAPs, the service, and Argo's plugin client with the bridge."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import grpc.aio
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.cpu_affinity import ROOT, SHIPPED_PYTHON
from bench.live_comparison import find_free_ports
from bench.soak.failing_backend import FailingBackend, run_failing_backend
from bench.soak.greedy_tenant import GreedyTenant
from bench.soak.hostile_backend import HostileBackend, run_hostile_backend
from bench.soak.listener_flood import ListenerFlood
from bench.soak.log_pipe import LogPipe
from bench.soak.worker_killer import WorkerKiller
from bench.soak.workload import BACKEND_TOKEN, build_scenario
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.tools.demo.argo_host import ArgoHost, run_argo_host

FAILING_BACKEND = "failing"
"""Backend of the bursts of Failed measurements, with the default configuration."""
RUN_TIMEOUT_SECONDS = 3.0
_BINARIES = ROOT / ".cache/bin"


class SoakService:
    """The service, which can be killed and started again."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self._folder, self.socket = folder, socket
        self._process: asyncio.subprocess.Process | None = None
        self._log: LogPipe | None = None

    @property
    def log(self) -> LogPipe:
        """Return the pipe of the log of the last process."""
        assert self._log  # noqa: S101 - started first
        return self._log

    @property
    def pid(self) -> int:
        """Return the process id of the last process."""
        assert self._process  # noqa: S101 - started first
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Return whether the process has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def log_path(self) -> Path:
        """Return the path of the log of all its processes."""
        return self._folder / "service.log"

    async def start(self) -> None:
        """Start the service and wait until it is healthy."""
        config = str(self._folder / "config.yaml")
        command = ("serve", "--config", config, "--socket", str(self.socket), "--log-format", "json")
        self._log = LogPipe(self.log_path)
        self._process = await asyncio.create_subprocess_exec(
            *(str(SHIPPED_PYTHON), "-m", "skywalking_provider", *command),
            stdout=self._log.write_end,
            stderr=self._log.write_end,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TZ": "UTC"},
        )
        os.close(self._log.write_end)
        async with grpc.aio.insecure_channel(f"unix:{self.socket}", [("grpc.min_reconnect_backoff_ms", 50)]) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=60)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the service."""
        os.kill(self.pid, number)

    async def stop(self) -> None:
        """Kill the service and wait for its end."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._log:
            await asyncio.to_thread(self._log.join)


class SoakProcesses:
    """All processes of a soak test."""

    def __init__(
        self,
        oap: MockOap,
        failing: FailingBackend,
        hostile: HostileBackend,
        service: SoakService,
        host: ArgoHost,
        ports: tuple[int, int, int],
    ) -> None:
        self.oap, self.failing, self.hostile, self.service, self.host = oap, failing, hostile, service, host
        self._port, *listeners = ports
        self.on_disturbance: Callable[[str], None] = lambda _: None
        self.on_violation: Callable[[str], None] = lambda _: None

        def record(name: str) -> None:
            self.on_disturbance(name)

        def record_violation(violation: str) -> None:
            self.on_violation(violation)

        self.greedy = GreedyTenant(service.socket, record)
        self.flood = ListenerFlood(listeners, record, record_violation)
        self.killer = WorkerKiller(lambda: service.pid, record)
        self._bridge_killed = float("-inf")

    @property
    def bridge_pid(self) -> int | None:
        """Return the process id of the bridge, a child of the host; None while Argo has not started it."""
        return find_child(self.host.pid)

    def kill_bridge(self) -> None:
        """Kill the bridge as the kernel does when memory runs out."""
        self._bridge_killed = time.monotonic()
        if pid := self.bridge_pid:
            os.kill(pid, signal.SIGKILL)

    def bridge_killed_since(self, instant: float) -> bool:
        """Return whether the bridge was killed since this time, or in the 3 s before: Argo notices it late."""
        return self._bridge_killed > instant - 3

    async def stop_oap(self) -> None:
        """Stop the OAP."""
        await self.oap.stop()

    async def start_oap(self) -> None:
        """Start another OAP on the same port."""
        self.oap = MockOap(build_scenario(), port=self._port)
        await self.oap.start()


def find_child(pid: int) -> int | None:
    """Return the first child of any thread of a process, or None. A thread may end during the search."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in children.read_text().split():
                return int(child)
    return None


@asynccontextmanager
async def start_processes(folder: Path) -> AsyncIterator[SoakProcesses]:
    """Start all processes and stop them at the end of the context."""
    async with AsyncExitStack() as stack:
        oap = MockOap(build_scenario())
        await oap.start()
        failing = await stack.enter_async_context(run_failing_backend())
        hostile = await stack.enter_async_context(run_hostile_backend())
        port = int(oap.address.rsplit(":", 1)[1])
        http_port, page_port = find_free_ports(2)
        backend = {
            "url": oap.address,
            "bearer": {"token": BACKEND_TOKEN},
            "timeout": "1s",
            "cache": {"responseTtl": "700ms", "verdictTtl": "300ms"},
        }
        (folder / "config.yaml").write_text(
            yaml.safe_dump(
                {
                    "backends": {
                        "soak": backend,
                        "hostile": backend | {"url": hostile.url, "timeout": "3s"},
                        FAILING_BACKEND: {"url": failing.url, "bearer": {"token": BACKEND_TOKEN}},
                    },
                    "http": {"listen": f"127.0.0.1:{http_port}"},
                    "page": {"listen": f"127.0.0.1:{page_port}"},
                }
            )
        )
        service = SoakService(folder, folder / "provider.sock")
        stack.push_async_callback(service.stop)
        await service.start()
        host = await stack.enter_async_context(
            run_argo_host(
                _BINARIES / "argo-host",
                _BINARIES / "skywalking-bridge",
                folder / "argo-host.log",
                f"--socket={folder / 'provider.sock'}",
                f"--run-timeout={RUN_TIMEOUT_SECONDS:.0f}s",
            )
        )
        processes = SoakProcesses(oap, failing, hostile, service, host, (port, http_port, page_port))
        try:
            yield processes
        finally:
            await processes.oap.stop()
