"""The service's side of one CEL worker: started on first use, killed if it does not respond, replaced on demand."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

from skywalking_provider.conditions.cel.protocol import WorkerRequest, WorkerResponse, decode_ready, decode_response
from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.model import Deadline

_WORKER_MODULE = "skywalking_provider.conditions.cel.worker_main"
# Directory of the package, wherever it is installed.
_ROOT = str(Path(__file__).parents[3])
# A start takes half a second of a free core.
_START_SECONDS = 30.0
# The worker stops itself. One that has not responded this much later is stuck.
_GRACE_SECONDS = 0.25
# Environment variables that a worker needs. No others, because they may hold credentials.
_INHERITED_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR", "VIRTUAL_ENV")


class CelProcess:
    """A worker that executes one request at a time. Belongs to the event loop of its first use.

    Args:
        memory_bytes: Memory limit of the process.
        module: Module that the process runs.
    """

    def __init__(self, memory_bytes: int, module: str = _WORKER_MODULE) -> None:
        self._memory_bytes = memory_bytes
        self._module = module
        self._lock = asyncio.Lock()
        self._process: Process | None = None
        self._exchange_task: asyncio.Task[WorkerResponse] | None = None
        self._prepare_task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Return the process ID; None if no process runs."""
        return self._process.pid if self._process else None

    def prepare(self) -> None:
        """Start the process in the background, so that a later request need not wait for it."""
        if self._process is None and self._prepare_task is None and not self._closed:
            self._prepare_task = asyncio.create_task(self._prepare())

    async def _prepare(self) -> None:
        async with self._lock:
            if self._process is None:
                with suppress(StoppedError):  # the next request tries again and reports the reason
                    await self._start()
        self._prepare_task = None

    async def request(
        self,
        conditions: dict[str, str],
        result: bytes | None,
        *,
        seconds: float,
        deadline: Deadline,
    ) -> WorkerResponse:
        """Queue a request and wait for its response.

        Cancelling the caller removes a queued request. A running one continues until its time limit.

        Args:
            conditions: Expressions by name.
            result: Result in JSON; None to compile the expressions only.
            seconds: Time limit of the evaluation.
            deadline: Deadline of the caller.

        Raises:
            StoppedError: A limit of the evaluation was exceeded, the deadline passed, or the service stops.
        """
        if self._closed:
            raise StoppedError(StopReason.CLOSED)
        if not deadline.remaining:
            raise StoppedError(StopReason.QUEUE_TIMEOUT)
        try:
            async with asyncio.timeout(deadline.remaining):
                await self._lock.acquire()
                # A task of its own: the response of a sent request must be read even if the caller leaves.
                exchange = self._exchange_with_retry(conditions, result, seconds, deadline)
                self._exchange_task = asyncio.create_task(exchange)
                self._exchange_task.add_done_callback(self._on_exchange_done)
                return await asyncio.shield(self._exchange_task)
        except TimeoutError:
            raise StoppedError(StopReason.QUEUE_TIMEOUT) from None

    async def close(self) -> None:
        """Kill the process; pending requests end with `StopReason.CLOSED`."""
        self._closed = True
        ending = [task for task in (self._exchange_task, self._prepare_task) if task is not None]
        self._kill()
        if ending:
            await asyncio.wait(ending)
        await self._end()

    def _on_exchange_done(self, task: asyncio.Task[WorkerResponse]) -> None:
        self._exchange_task = None
        self._lock.release()
        if not task.cancelled():
            task.exception()  # retrieved here, because the caller may have left

    async def _exchange_with_retry(
        self, conditions: dict[str, str], result: bytes | None, seconds: float, deadline: Deadline
    ) -> WorkerResponse:
        if self._closed:
            raise StoppedError(StopReason.CLOSED)
        try:
            was_running = self._process is not None
            try:
                return await self._exchange(conditions, result, seconds, deadline)
            except _ProcessExitedError:
                if not was_running:  # the request itself ended a process that was started for it
                    raise
            return await self._exchange(conditions, result, seconds, deadline)
        except _ProcessExitedError:
            raise StoppedError(StopReason.CLOSED if self._closed else StopReason.MEMORY) from None

    async def _exchange(
        self, conditions: dict[str, str], result: bytes | None, seconds: float, deadline: Deadline
    ) -> WorkerResponse:
        process = self._process or await self._start()
        seconds = min(seconds, deadline.remaining)
        if not seconds:
            raise StoppedError(StopReason.QUEUE_TIMEOUT)
        body = result or b""
        request = WorkerRequest(conditions, len(body), seconds, compile_only=result is None)
        try:
            async with asyncio.timeout(seconds + _GRACE_SECONDS):
                response = decode_response(await _send_and_receive(process, request.encode() + body))
        except TimeoutError:
            await self._end()
            raise StoppedError(StopReason.TIME) from None
        except (EOFError, OSError, ValueError):
            await self._end()
            raise _ProcessExitedError from None
        if response.stop_reason is not None:
            if response.stop_reason is StopReason.MEMORY:  # its interpreter may be in an inconsistent state
                await self._end()
            raise StoppedError(response.stop_reason)
        return response

    async def _start(self) -> Process:
        if self._closed:
            raise StoppedError(StopReason.CLOSED)
        environment = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", self._module, str(self._memory_bytes)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # an expression could write logs of any length
                env=environment,
                start_new_session=True,  # only the service handles ^C
            )
        except OSError as error:
            raise StoppedError(StopReason.UNAVAILABLE, str(error)) from error
        if self._closed:
            self._kill()
        try:
            async with asyncio.timeout(_START_SECONDS):
                problem = decode_ready(await _send_and_receive(self._process, b"")).start_error
        except (EOFError, OSError, ValueError) as error:
            problem = f"the process ended before it was ready: {error!r}"
        except TimeoutError:
            problem = f"not ready within {_START_SECONDS:g} s"
        if problem:
            await self._end()
            raise StoppedError(StopReason.CLOSED if self._closed else StopReason.UNAVAILABLE, problem)
        return self._process

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            # The process is its own group. Process.kill would first poll the process, and take its exit from asyncio.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _end(self) -> None:
        self._kill()
        process, self._process = self._process, None
        if process is not None:
            await process.communicate()  # closes the pipes and waits


class _ProcessExitedError(Exception):
    """The process has exited."""


async def _send_and_receive(process: Process, payload: bytes) -> bytes:
    """Send a payload and read one line.

    Raises:
        EOFError, OSError: The process has exited.
        ValueError: The line is too long for a response.
    """
    if process.stdin is None or process.stdout is None:
        raise EOFError
    process.stdin.write(payload)
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line
