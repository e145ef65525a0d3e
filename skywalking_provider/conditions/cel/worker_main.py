"""The process that evaluates CEL: `python -m skywalking_provider.conditions.cel.worker_main MEMORY_BYTES`.

It reads requests from standard input and writes responses to standard output (see `protocol`), after a first message
that reports whether it is ready. Other output is discarded; RE2, for example, logs invalid regular expressions.

The worker limits itself: the kernel limits its memory, and a timer its time. So an expression that is merely slow does
not cost a new process, and an evaluation ends even if the service is gone. The service kills a worker that does not
stop itself.
"""

import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

from skywalking_provider.conditions.cel.protocol import (
    WorkerProblem,
    WorkerReady,
    WorkerRequest,
    WorkerResponse,
    decode_request,
)
from skywalking_provider.conditions.limits import StopReason

_REPEAT_SECONDS = 0.02
_MAX_MESSAGE_CHARACTERS = 1000


class _TimeUpError(BaseException):
    """The time limit is exceeded. Not an Exception, because cel-python catches those."""


class _Timer:
    """Raises `_TimeUpError` repeatedly in the running code. One raised while Python frees an object is only printed."""

    def __init__(self) -> None:
        self._armed = False
        signal.signal(signal.SIGALRM, self._on_alarm)

    def start(self, seconds: float) -> None:
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT_SECONDS)

    def stop(self) -> None:
        self._armed = False  # first: a signal may be pending
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            raise _TimeUpError


def main(memory_bytes: int) -> None:
    """Serve requests until standard input ends."""
    requests, responses = _take_over_streams()
    try:
        _limit_resources(memory_bytes)
        from skywalking_provider.conditions.cel import program  # noqa: PLC0415 — a failed import is reported

        program.evaluate("[1.0, 2].all(v, v > 0) && 'a'.matches('a')", None)
    except Exception as error:  # noqa: BLE001 — the service logs it, whatever it is
        _write_line(responses, WorkerReady(f"{type(error).__name__}: {error}").encode())
        return
    _write_line(responses, WorkerReady().encode())
    timer = _Timer()
    while line := requests.readline():
        request = decode_request(line)
        result = requests.read(request.result_bytes)
        _write_line(responses, _evaluate_with_limits(timer, request, result).encode())


def _evaluate_with_limits(timer: _Timer, request: WorkerRequest, result: bytes) -> WorkerResponse:
    began = time.process_time()
    try:
        try:
            timer.start(request.seconds)
            values, problems = _evaluate(request, result)
        finally:
            timer.stop()
    except _TimeUpError:
        return WorkerResponse({}, stop_reason=StopReason.TIME, cpu_seconds=time.process_time() - began)
    except RecursionError:
        return WorkerResponse({}, stop_reason=StopReason.DEPTH)
    except MemoryError:
        return WorkerResponse({}, stop_reason=StopReason.MEMORY)
    except Exception as error:  # noqa: BLE001 — an error inside cel-python concerns one expression only
        values, problems = {}, [_build_problem("", f"CEL evaluator failed: {type(error).__name__}: {error}")]
    return WorkerResponse(values, tuple(problems), cpu_seconds=time.process_time() - began)


def _evaluate(request: WorkerRequest, result: bytes) -> tuple[dict[str, bool], list[WorkerProblem]]:
    from skywalking_provider.conditions.cel import checks, program, values  # noqa: PLC0415
    from skywalking_provider.support import go_json  # noqa: PLC0415

    value: Any = None
    if not request.compile_only:
        try:
            value = values.to_cel_value(go_json.load(result))
        except ValueError as error:
            return {}, [_build_problem("", f"the result is not JSON that Argo could read: {error}")]
    evaluated: dict[str, bool] = {}
    problems = []
    for name, text in request.conditions.items():
        try:
            if request.compile_only:
                program.compile_expression(text)
            else:
                evaluated[name] = program.evaluate(text, value)
        except checks.ExpressionError as error:
            location = error.location
            problems.append(_build_problem(name, location.message, location.line, location.column))
    return evaluated, problems


def _build_problem(condition: str, message: str, line: int = 0, column: int = 0) -> WorkerProblem:
    return WorkerProblem(condition, message[:_MAX_MESSAGE_CHARACTERS], line, column)


def _take_over_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Return the two pipes, and put the null device where a library would read or write."""
    requests, responses = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    return requests, responses


def _limit_resources(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > memory_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    with suppress(OSError):  # if the container runs out of memory, the kernel kills this process, not the service
        Path("/proc/self/oom_score_adj").write_text("1000")


def _write_line(responses: IO[bytes], line: bytes) -> None:
    try:
        responses.write(line)
        responses.flush()
    except BrokenPipeError:  # the service is gone
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
