"""The process that evaluates CEL: `python -m skywalking_provider.conditions.cel.worker_main MEMORY_BYTES`.

On its standard input, questions: a line of JSON, and after it as many bytes of result as the line's `size` says. On its
standard output, a line of JSON for each, after a first one that says it is ready (or `broken`, and why not). Everything
else that anybody writes there goes nowhere: RE2 has opinions about regular expressions.

It bounds itself: memory by the kernel's limit, time by a timer, which spares the service a new process for each
expression that is merely slow, and ends an evaluation whose service is gone. The service ends it where that fails.
"""

import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

_REPEAT_SECONDS = 0.02


class _TimeUpError(BaseException):
    """No Exception: cel-python catches those."""


class _Timer:
    """Raises `_TimeUpError` in what runs, again and again: raised while Python frees something, it is only printed."""

    def __init__(self) -> None:
        self._armed = False
        signal.signal(signal.SIGALRM, self._on_alarm)

    def start(self, seconds: float) -> None:
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds, _REPEAT_SECONDS)

    def stop(self) -> None:
        self._armed = False  # first: a signal may be on its way
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            raise _TimeUpError


def main(memory_bytes: int) -> None:
    """Answer questions until there are no more."""
    questions, answers = _take_over_streams()
    try:
        _limit_resources(memory_bytes)
        from skywalking_provider.conditions.cel import program  # noqa: PLC0415 — the reason may be told

        program.evaluate("[1.0, 2].all(v, v > 0) && 'a'.matches('a')", None)
    except Exception as error:  # noqa: BLE001 — whatever it is, the service's log has to have it
        _write_response(answers, {"broken": f"{type(error).__name__}: {error}"})
        return
    _write_response(answers, {"ready": True})
    timer = _Timer()
    while line := questions.readline():
        question = json.loads(line)
        result = questions.read(question["size"])
        begun = time.monotonic()
        answer = _evaluate_with_limits(timer, question, result)
        _write_response(answers, {**answer, "seconds": time.monotonic() - begun})


def _evaluate_with_limits(timer: _Timer, request: dict[str, Any], result: bytes) -> dict[str, Any]:
    try:
        try:
            timer.start(request["seconds"])
            return _evaluate(request, result)
        finally:
            timer.stop()
    except _TimeUpError:
        return {"stopped": "time"}
    except RecursionError:
        return {"stopped": "depth"}
    except MemoryError:
        return {"stopped": "memory"}
    except Exception as error:  # noqa: BLE001 — a mistake of cel-python's is about one expression
        return {"mistakes": [_build_problem("", f"CEL's evaluator failed: {type(error).__name__}: {error}")]}


def _evaluate(request: dict[str, Any], result: bytes) -> dict[str, Any]:
    """Evaluate each of `conditions` for the result; without one (`blind`), only compile them."""
    from skywalking_provider.conditions.cel import checks, program, values  # noqa: PLC0415
    from skywalking_provider.support import go_json  # noqa: PLC0415

    value: Any = None
    if not request["blind"]:
        try:
            value = values.to_cel_value(go_json.load(result))
        except ValueError as error:
            return {"mistakes": [_build_problem("", f"the result is not JSON that Argo could read: {error}")]}
    truths, mistakes = {}, []
    for name, text in request["conditions"].items():
        try:
            if request["blind"]:
                program.compile_expression(text)
            else:
                truths[name] = program.evaluate(text, value)
        except checks.ExpressionError as error:
            mistakes.append(_build_problem(name, error.location.message, error.location.line, error.location.column))
    return {"truths": truths, "mistakes": mistakes}


def _build_problem(condition: str, message: str, line: int = 0, column: int = 0) -> dict[str, Any]:
    return {"of": condition, "message": message[:1000], "line": line, "column": column}


def _take_over_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Take the two pipes, and leave nothing where a library would read or write."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    return questions, answers


def _limit_resources(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > memory_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    with suppress(OSError):  # where the container's memory ends first, this process and not the service
        Path("/proc/self/oom_score_adj").write_text("1000")


def _write_response(responses: IO[bytes], response: dict[str, Any]) -> None:
    try:
        responses.write(json.dumps(response).encode() + b"\n")
        responses.flush()
    except BrokenPipeError:  # the service is gone
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
