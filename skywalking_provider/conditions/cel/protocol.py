"""Messages between the service and a CEL worker: one line of JSON each. A request's result follows it as raw bytes."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from skywalking_provider.conditions.limits import StopReason


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """A request to evaluate conditions.

    Attributes:
        conditions: Expressions by name (`success`, `failure`).
        result_bytes: Length of the result that follows the request; 0 if `compile_only`.
        seconds: Time limit.
        compile_only: Whether the expressions are compiled without a result.
    """

    conditions: dict[str, str]
    result_bytes: int
    seconds: float
    compile_only: bool

    def encode(self) -> bytes:
        """Return the request as a line."""
        return _encode(self)


@dataclass(frozen=True, slots=True)
class WorkerProblem:
    """An error in a condition.

    Attributes:
        condition: Name of the condition; empty if the problem concerns all.
        message: The error.
        line: Line, counted from 1; 0 for the whole expression.
        column: Column, counted from 1; 0 for the whole expression.
    """

    condition: str
    message: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class WorkerResponse:
    """The outcome of a request.

    Attributes:
        values: Values of the evaluated conditions by name.
        problems: Errors of the others.
        stop_reason: The exceeded limit (TIME, MEMORY or DEPTH); None if none was.
        cpu_seconds: CPU time of the evaluation.
    """

    values: dict[str, bool]
    problems: tuple[WorkerProblem, ...] = ()
    stop_reason: StopReason | None = None
    cpu_seconds: float = 0.0

    def encode(self) -> bytes:
        """Return the response as a line."""
        return _encode(self)


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The first message of a worker.

    Attributes:
        start_error: Why the worker cannot evaluate; empty if it can.
    """

    start_error: str = ""

    def encode(self) -> bytes:
        """Return the message as a line."""
        return _encode(self)


def decode_request(line: bytes) -> WorkerRequest:
    """Decode a request; the service is trusted."""
    return WorkerRequest(**json.loads(line))


def decode_response(line: bytes) -> WorkerResponse:
    """Decode a response.

    Raises:
        ValueError: The line is not a response.
    """
    try:
        fields = _decode(line)
        reason = fields.pop("stop_reason")
        problems = tuple(WorkerProblem(**problem) for problem in fields.pop("problems"))
        return WorkerResponse(**fields, problems=problems, stop_reason=None if reason is None else StopReason(reason))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a response of a CEL worker: {line[:80]!r}") from error


def decode_ready(line: bytes) -> WorkerReady:
    """Decode a worker's first message.

    Raises:
        ValueError: The line is not such a message.
    """
    try:
        return WorkerReady(**_decode(line))
    except TypeError as error:
        raise ValueError(f"not the first message of a CEL worker: {line[:80]!r}") from error


def _encode(message: WorkerRequest | WorkerResponse | WorkerReady) -> bytes:
    return json.dumps(asdict(message)).encode() + b"\n"


def _decode(line: bytes) -> dict[str, Any]:
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise TypeError
    return fields
