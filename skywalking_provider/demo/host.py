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
    """A running host. One question at a time."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._asked = 0

    async def ask(self, op: str, **request: Any) -> dict[str, Any]:
        """Send one request and give its answer.

        Args:
            op: `run`, `resume`, `metadata`, ...
            request: As `argo-host` documents: run, metric, measurement.

        Raises:
            HostError: It ended, or said what is wrong.
        """
        assert self._process.stdin  # noqa: S101 - opened with pipes
        assert self._process.stdout  # noqa: S101
        self._asked += 1
        try:
            self._process.stdin.write(json.dumps({"id": self._asked, "op": op, **request}).encode() + b"\n")
            await self._process.stdin.drain()
            line = await self._process.stdout.readline()
        except ConnectionError:
            line = b""
        if not line:
            last = " / ".join(self._log.read_text(errors="replace").splitlines()[-3:])
            raise HostError(f"argo-host ended: {last or 'it said nothing'}")
        answer: dict[str, Any] = json.loads(line)
        if error := answer.get("error"):
            raise HostError(str(error))
        return answer


@asynccontextmanager
async def argo_host(binary: Path, bridge: Path, log: Path, *bridge_args: str) -> AsyncIterator[ArgoHost]:
    """Run the host with the bridge for as long as the context lasts; what they say goes to `log`."""
    arguments = [f"--plugin-binary={bridge}", *(f"--arg={argument}" for argument in bridge_args)]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(binary), *arguments, stdin=PIPE, stdout=PIPE, stderr=output, limit=16 << 20
        )
    try:
        yield ArgoHost(process, log)
    finally:
        if process.stdin:
            process.stdin.close()  # it finishes, ends its plugin and goes
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
