"""One worker process from the service's side: started when first asked, ended when it does not answer, replaced."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.model import Deadline

_MODULE = "skywalking_provider.conditions.cel.worker_main"
# The packages' folder, wherever this one was found.
_ROOT = str(Path(__file__).parents[3])
# It takes half a second of a free core.
_START_SECONDS = 30.0
# The worker stops itself; this much later it is taken for stuck.
_GRACE_SECONDS = 0.25
_STOP_REASONS = {"time": StopReason.TIME, "memory": StopReason.MEMORY, "depth": StopReason.DEPTH}
# What a worker needs of the environment. Nothing else: credentials live there.
_INHERITED_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR", "VIRTUAL_ENV")


class CelProcess:
    """Answers one question at a time. Belongs to the event loop it is first used in."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._lock = asyncio.Lock()
        self._process: Process | None = None
        self._exchange_task: asyncio.Task[dict[str, Any]] | None = None
        self._prepare_task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's number, where there is one."""
        return self._process.pid if self._process else None

    def prepare(self) -> None:
        """Start the process now, in the background: a question that comes later does not pay for it."""
        if self._process is None and self._prepare_task is None and not self._closed:
            self._prepare_task = asyncio.create_task(self._prepare())

    async def _prepare(self) -> None:
        async with self._lock:
            if self._process is None:
                with suppress(StoppedError):  # the next question tries again, and tells
                    await self._start()
        self._prepare_task = None

    async def request(
        self, request: dict[str, Any], result: bytes, *, seconds: float, deadline: Deadline
    ) -> dict[str, Any]:
        """Wait for the turn and the answer.

        A caller that leaves takes its question with it while it waits; one that runs is over by its limit.

        Args:
            request: See `cel_worker`; `seconds` and `size` are filled in.
            result: JSON.
            seconds: What the evaluation may take.
            deadline: When the caller leaves.

        Raises:
            StoppedError: A limit of the evaluation, the deadline, or the end of the service.
        """
        if self._closed:
            raise StoppedError(StopReason.CLOSED)
        if not deadline.remaining:
            raise StoppedError(StopReason.QUEUE_TIMEOUT)
        try:
            async with asyncio.timeout(deadline.remaining):
                await self._lock.acquire()
                # A task of its own: a question that was sent has to be heard out, whoever asked.
                self._exchange_task = asyncio.create_task(self._exchange_with_retry(request, result, seconds, deadline))
                self._exchange_task.add_done_callback(self._on_exchange_done)
                return await asyncio.shield(self._exchange_task)
        except TimeoutError:
            raise StoppedError(StopReason.QUEUE_TIMEOUT) from None

    async def close(self) -> None:
        """End the process; open questions are answered with `Cause.CLOSED`."""
        self._closed = True
        ending = [task for task in (self._exchange_task, self._prepare_task) if task is not None]
        self._kill()
        if ending:
            await asyncio.wait(ending)
        await self._end()

    def _on_exchange_done(self, task: asyncio.Task[dict[str, Any]]) -> None:
        self._exchange_task = None
        self._lock.release()
        if not task.cancelled():
            task.exception()  # heard, even where the caller has left

    async def _exchange_with_retry(
        self, request: dict[str, Any], result: bytes, seconds: float, deadline: Deadline
    ) -> dict[str, Any]:
        if self._closed:
            raise StoppedError(StopReason.CLOSED)
        try:
            was_there = self._process is not None
            try:
                return await self._exchange(request, result, seconds, deadline)
            except _ProcessExitedError:
                if not was_there:  # a process made for this question has died of it
                    raise
            return await self._exchange(request, result, seconds, deadline)
        except _ProcessExitedError:
            raise StoppedError(StopReason.CLOSED if self._closed else StopReason.MEMORY) from None

    async def _exchange(
        self, request: dict[str, Any], result: bytes, seconds: float, deadline: Deadline
    ) -> dict[str, Any]:
        process = self._process or await self._start()
        seconds = min(seconds, deadline.remaining)
        if not seconds:
            raise StoppedError(StopReason.QUEUE_TIMEOUT)
        head = json.dumps({**request, "seconds": seconds, "size": len(result)}).encode()
        try:
            async with asyncio.timeout(seconds + _GRACE_SECONDS):
                answer = await _send_and_receive(process, head + b"\n" + result)
        except TimeoutError:
            await self._end()
            raise StoppedError(StopReason.TIME) from None
        except (EOFError, OSError, ValueError):
            await self._end()
            raise _ProcessExitedError from None
        if stopped := answer.get("stopped"):
            if stopped == "memory":  # what is left of it is in pieces
                await self._end()
            raise StoppedError(_STOP_REASONS[stopped])
        return answer

    async def _start(self) -> Process:
        if self._closed:
            raise StoppedError(StopReason.CLOSED)
        environment = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", _MODULE, str(self._memory_bytes)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # nobody's log: it would be as long as an expression wants
                env=environment,
                start_new_session=True,  # ^C is the service's to handle
            )
        except OSError as error:
            raise StoppedError(StopReason.UNAVAILABLE, str(error)) from error
        if self._closed:
            self._kill()
        try:
            async with asyncio.timeout(_START_SECONDS):
                hello = await _send_and_receive(self._process, b"")
            trouble = hello.get("broken", "")
        except (EOFError, OSError, ValueError) as error:
            trouble = f"the process ended before it was ready: {error!r}"
        except TimeoutError:
            trouble = f"not ready within {_START_SECONDS:g} s"
        if trouble:
            await self._end()
            raise StoppedError(StopReason.CLOSED if self._closed else StopReason.UNAVAILABLE, trouble)
        return self._process

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            # Its group is itself. (Process.kill would first look whether it has ended, and take the news from asyncio.)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _end(self) -> None:
        self._kill()
        process, self._process = self._process, None
        if process is not None:
            await process.communicate()  # closes the pipes and waits


class _ProcessExitedError(Exception):
    """The process is gone."""


async def _send_and_receive(process: Process, payload: bytes) -> dict[str, Any]:
    """Send, and read a line.

    Raises:
        EOFError, OSError: The process is gone.
        ValueError: It does not speak as agreed.
    """
    if process.stdin is None or process.stdout is None:
        raise EOFError
    process.stdin.write(payload)
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise ValueError(f"no answer: {line[:80]!r}")
    return answer
