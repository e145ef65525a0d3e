"""Argo's own plugin client in a process of its own (bridge/cmd/argo-host), asked in JSON lines."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


class HostError(Exception):
    """The host or the plugin in it does not work; the text says what it said."""


class ArgoHost:
    """A running host; it may be asked many things at once."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._last_id = 0
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}

    @property
    def pid(self) -> int:
        """Of the host; the bridge is a child of it."""
        return self._process.pid

    async def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send one request and give its answer.

        Args:
            op: `run`, `resume`, `metadata`, ...
            fields: As `argo-host` documents: run, metric, measurement.

        Raises:
            HostError: It ended, or said what is wrong.
        """
        assert self._process.stdin  # noqa: S101 - opened with pipes
        self._last_id += 1
        number = self._last_id
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[number] = answered
        try:
            self._process.stdin.write(json.dumps({"id": number, "op": op, **fields}).encode() + b"\n")
            await self._process.stdin.drain()
            if self._process.returncode is not None:
                raise self._exit_error()
            answer = await answered
        except ConnectionError as gone:
            raise self._exit_error() from gone
        finally:
            del self._pending[number]
        if error := answer.get("error"):
            raise HostError(str(error))
        return answer

    async def dispatch_responses(self) -> None:
        """Give the answers to those who wait for them, until the host ends."""
        assert self._process.stdout  # noqa: S101 - opened with pipes
        async for line in self._process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if (answered := self._pending.get(answer["id"])) and not answered.done():
                answered.set_result(answer)
        await self._process.wait()
        for unanswered in self._pending.values():
            if not unanswered.done():
                unanswered.set_exception(self._exit_error())

    def _exit_error(self) -> HostError:
        last = " / ".join(self._log.read_text(errors="replace").splitlines()[-3:])
        return HostError(f"argo-host ended: {last or 'it said nothing'}")


@asynccontextmanager
async def run_argo_host(binary: Path, bridge: Path, log: Path, *bridge_args: str) -> AsyncIterator[ArgoHost]:
    """Run the host with the bridge for as long as the context lasts; what they say goes to `log`."""
    arguments = [f"--plugin-binary={bridge}", *(f"--arg={argument}" for argument in bridge_args)]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(binary), *arguments, stdin=PIPE, stdout=PIPE, stderr=output, limit=16 << 20
        )
    host = ArgoHost(process, log)
    answers = asyncio.create_task(host.dispatch_responses())
    try:
        yield host
    finally:
        if process.stdin:
            process.stdin.close()  # it finishes, ends its plugin and goes
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await answers
