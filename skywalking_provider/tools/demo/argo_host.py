"""Client of `argo-host` (bridge/cmd/argo-host), a process with Argo's plugin client, by JSON lines."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


class HostError(Exception):
    """A failure of the host or of its plugin."""


class ArgoHost:
    """A running host, for concurrent requests."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._last_id = 0
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}

    @property
    def pid(self) -> int:
        """Process id of the host; the bridge is its child."""
        return self._process.pid

    async def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send one request and return its response.

        Args:
            op: Operation: `run`, `resume`, `metadata`, ...
            fields: Fields that `argo-host` documents: run, metric, measurement.

        Raises:
            HostError: The host ended, or responded with an error.
        """
        assert self._process.stdin  # noqa: S101 - opened with pipes
        self._last_id += 1
        number = self._last_id
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        try:
            self._process.stdin.write(json.dumps({"id": number, "op": op, **fields}).encode() + b"\n")
            await self._process.stdin.drain()
            if self._process.returncode is not None:
                raise self._exit_error()
            response = await future
        except ConnectionError as error:
            raise self._exit_error() from error
        finally:
            del self._pending[number]
        if message := response.get("error"):
            raise HostError(str(message))
        return response

    async def dispatch_responses(self) -> None:
        """Pass each response to its caller until the host ends."""
        assert self._process.stdout  # noqa: S101 - opened with pipes
        async for line in self._process.stdout:
            response: dict[str, Any] = json.loads(line)
            if (future := self._pending.get(response["id"])) and not future.done():
                future.set_result(response)
        await self._process.wait()
        for future in self._pending.values():
            if not future.done():
                future.set_exception(self._exit_error())

    def _exit_error(self) -> HostError:
        last = " / ".join(self._log.read_text(errors="replace").splitlines()[-3:])
        return HostError(f"argo-host ended: {last or 'no output'}")


@asynccontextmanager
async def run_argo_host(binary: Path, bridge: Path, log: Path, *bridge_args: str) -> AsyncIterator[ArgoHost]:
    """Run the host with the bridge as a context; their output goes to `log`."""
    arguments = [f"--plugin-binary={bridge}", *(f"--arg={argument}" for argument in bridge_args)]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(binary), *arguments, stdin=PIPE, stdout=PIPE, stderr=output, limit=16 << 20
        )
    host = ArgoHost(process, log)
    dispatcher = asyncio.create_task(host.dispatch_responses())
    try:
        yield host
    finally:
        if process.stdin:
            process.stdin.close()  # the host then stops its plugin and exits
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await dispatcher
