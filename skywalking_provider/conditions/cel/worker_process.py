"""The service's side of one CEL worker: started on first use, and replaced whenever an exchange with it fails."""

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
# A start takes half a second of a free core. The limit is doubled for the next start if a machine is slower.
_START_SECONDS = 5.0
_MAX_START_SECONDS = 30.0
# The worker stops itself. One that has not responded this much later is stuck.
_GRACE_SECONDS = 0.25
# A killed process ends at once, unless the kernel waits for a device.
_END_SECONDS = 5.0
# Environment variables that a worker needs. No others, because they may hold credentials.
_INHERITED_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR", "VIRTUAL_ENV")


class WorkerFaultError(StoppedError):
    """An evaluation that ended without a result, perhaps through no fault of the condition.

    The worker ended, did not respond, or got too little CPU time. The reason is the limit that the condition has
    exceeded if it happens again.
    """


class CelProcess:
    """A worker that executes one request at a time. Belongs to the event loop of its first use.

    Args:
        memory_bytes: Memory limit of the process.
        module: Module that the process runs.
        start_seconds: Time limit of the first start.
    """

    def __init__(
        self, memory_bytes: int, module: str = _WORKER_MODULE, *, start_seconds: float = _START_SECONDS
    ) -> None:
        self._memory_bytes = memory_bytes
        self._module = module
        self._start_seconds = start_seconds
        self._lock = asyncio.Lock()
        self._process: Process | None = None
        self._prepare_task: asyncio.Task[None] | None = None
        self._closed = False
        self.start_problem = ""
        """Why the process could not be started the last time; empty if it could, or was not started yet."""

    @property
    def pid(self) -> int | None:
        """Return the process ID; None if no process runs."""
        return self._process.pid if self._process else None

    def prepare(self) -> None:
        """Start the process in the background, so that a later request need not wait for it."""
        if self._prepare_task is None and not self._closed and not _is_usable(self._process):
            self._prepare_task = asyncio.create_task(self._prepare())
            self._prepare_task.add_done_callback(self._on_prepared)

    async def recover(self) -> None:
        """Start the process again if it could not be started the last time."""
        if self.start_problem:
            await self._prepare()

    async def _prepare(self) -> None:
        async with self._lock:
            with suppress(StoppedError):  # the next request tries again and reports the reason
                await self._ensure_started()

    def _on_prepared(self, _: asyncio.Task[None]) -> None:
        self._prepare_task = None

    async def request(
        self, conditions: dict[str, str], result: bytes | None, *, seconds: float, deadline: Deadline
    ) -> WorkerResponse:
        """Send a request and wait for its response.

        It must not be cancelled: the response of a sent request must be read. A worker that was ended is replaced in
        the background.

        Args:
            conditions: Expressions by name.
            result: Result in JSON; None to compile the expressions only.
            seconds: Time limit of the evaluation.
            deadline: Deadline of the caller.

        Raises:
            WorkerFaultError: The evaluation may be repeated in another process, which the next request starts.
            StoppedError: A limit of the evaluation was exceeded, the deadline passed, or the service stops.
        """
        async with self._lock:
            try:
                return await self._exchange(conditions, result, seconds, deadline)
            except WorkerFaultError:
                if self._closed:  # close() killed it
                    raise StoppedError(StopReason.CLOSED) from None
                raise
            finally:
                if self._process is None and not self.start_problem:
                    self.prepare()

    async def close(self) -> None:
        """Kill the process; a running request ends with `StopReason.CLOSED`."""
        self._closed = True
        _kill(self._process)
        if self._prepare_task is not None:
            await asyncio.wait([self._prepare_task])
        async with self._lock:
            await self._end()

    async def _exchange(
        self, conditions: dict[str, str], result: bytes | None, seconds: float, deadline: Deadline
    ) -> WorkerResponse:
        process = await self._ensure_started()
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
            raise WorkerFaultError(StopReason.TIME) from None
        except Exception as error:  # noqa: BLE001 — each event loop raises other types for a pipe that is closed
            await self._end()
            raise WorkerFaultError(StopReason.MEMORY, repr(error)) from None
        if response.stop_reason is StopReason.TIME and response.cpu_seconds < seconds / 2:
            raise WorkerFaultError(StopReason.TIME)
        if response.stop_reason is not None:
            if response.stop_reason is StopReason.MEMORY:  # its interpreter may be in an inconsistent state
                await self._end()
            raise StoppedError(response.stop_reason)
        return response

    async def _ensure_started(self) -> Process:
        """Return the running process, or start one.

        A failed start is repeated once, because the process may have been killed.

        Raises:
            StoppedError: It does not start, or the service stops.
        """
        if self._process is not None and _is_usable(self._process):
            return self._process
        await self._end()
        process, problem = await self._start()
        if problem and not self.start_problem:
            process, problem = await self._start()
        if self._closed:
            await self._end()
            raise StoppedError(StopReason.CLOSED)
        self.start_problem = problem
        if process is None:
            raise StoppedError(StopReason.UNAVAILABLE, problem)
        return process

    async def _start(self) -> tuple[Process | None, str]:
        """Start the process; return it, or the problem."""
        if self._closed:
            return None, "the service stops"
        environment = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
        stage = "could not be created"
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", self._module, str(self._memory_bytes)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # an expression could write logs of any length
                env=environment,
                start_new_session=True,  # only the service handles ^C
            )
            stage = "ended before it was ready"
            if self._closed:
                _kill(process)
            async with asyncio.timeout(self._start_seconds):
                problem = decode_ready(await _send_and_receive(process, b"")).start_error
        except TimeoutError:
            problem = f"not ready within {self._start_seconds:g} s"
            self._start_seconds = min(2 * self._start_seconds, _MAX_START_SECONDS)
        except Exception as error:  # noqa: BLE001 — as in _exchange
            problem = f"the process {stage}: {error!r}"
        if problem:
            await self._end()
            return None, problem
        return process, ""

    async def _end(self) -> None:
        """Kill the process, if there is one, and release its pipes."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        with suppress(Exception):  # whatever the pipes of a dead process raise; the process is given up
            async with asyncio.timeout(_END_SECONDS):
                try:
                    await process.communicate()  # closes the pipes and waits
                finally:
                    await process.wait()


def _is_usable(process: Process | None) -> bool:
    """Return whether a process is alive and its pipes are open, as far as the event loop knows."""
    if process is None or process.stdin is None or process.stdout is None:
        return False
    return process.returncode is None and not process.stdin.is_closing() and not process.stdout.at_eof()


def _kill(process: Process | None) -> None:
    if process is not None and process.returncode is None:
        # The process is its own group. Process.kill would first poll the process, and take its exit from asyncio.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def _send_and_receive(process: Process, payload: bytes) -> bytes:
    """Send a payload and read one line.

    Raises:
        Exception: The process has exited, or the line is too long for a response.
    """
    if process.stdin is None or process.stdout is None:
        raise EOFError
    process.stdin.write(payload)
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line
