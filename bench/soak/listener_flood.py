"""Flood of the HTTP listeners of a soak test: many unfinished requests, while a probe is measured."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CONNECTION_CLOSED = "connection closed"
PROBE_ANSWERED = "probe answered"
MAX_PROBE_SECONDS = 1.0
"""Kubernetes' default timeout of a probe."""

_CONNECTIONS = 400  # of each listener at a time; the service opens fewer
_REOPEN_SECONDS = 2.0  # sooner, the flood would take the CPU of the load, which runs in the same process
_PROBE_INTERVAL_SECONDS = 0.25
_PARTIAL_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Never-Ends: "


@dataclass
class ListenerFlood:
    """Connections that send half a request, each replaced as soon as the service closes it.

    Attributes:
        ports: Ports of the listeners on loopback. The probe goes to the first one.
        record: Receives CONNECTION_CLOSED and PROBE_ANSWERED.
        record_violation: Receives the description of a probe that failed or was late.
    """

    ports: Sequence[int]
    record: Callable[[str], None]
    record_violation: Callable[[str], None]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Open the connections and start the probe."""
        self._tasks = [asyncio.create_task(self._hold(port)) for port in self.ports for _ in range(_CONNECTIONS)]
        self._tasks.append(asyncio.create_task(self._probe()))

    async def stop(self) -> None:
        """Close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _hold(self, port: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(_PARTIAL_REQUEST)
                    await reader.read()
                    self.record(CONNECTION_CLOSED)
                finally:
                    writer.close()
            await asyncio.sleep(_REOPEN_SECONDS)

    async def _probe(self) -> None:
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(MAX_PROBE_SECONDS * 5):
                    status = await request_status(self.ports[0], "/healthz")
            except (OSError, TimeoutError) as error:
                status = repr(error)
            seconds = time.monotonic() - began
            if status != "200" or seconds > MAX_PROBE_SECONDS:
                self.record_violation(f"/healthz responded {status} after {seconds:.2f} s while listeners were flooded")
            else:
                self.record(PROBE_ANSWERED)
            await asyncio.sleep(_PROBE_INTERVAL_SECONDS)


async def request_status(port: int, path: str) -> str:
    """Return the HTTP status of a GET on loopback; empty if the connection ends without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        parts = (await reader.readline()).split()
        return parts[1].decode() if len(parts) > 1 else ""
    finally:
        writer.close()
