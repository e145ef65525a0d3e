"""Limits of one evaluation, and the messages for an evaluation that exceeds them."""

from dataclasses import dataclass
from enum import StrEnum

# Conditions of one namespace that wait for an evaluator. More could not be evaluated before their deadlines, unless
# they take less than 10 ms each.
MAX_QUEUED = 1000
# Results of all queued conditions of one queue. Each takes some times its bytes, as the decoded response. One of 1 MiB
# is evaluated in a tenth of a second or more, so that more could not be evaluated before their deadlines, either.
MAX_QUEUED_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one evaluation. The controller has none: there, one condition can take all memory or run for hours.

    Attributes:
        condition_bytes: Length of a condition in UTF-8. The parser is recursive, so the length bounds its depth.
        result_bytes: Length of a result in JSON. The default holds about 18,000 buckets, more than Argo could store.
        seconds: Duration of one evaluation of both conditions in the isolated tier, without the time in the queue.
        slice_seconds: Duration of one evaluation in the fast tier. A usual condition takes a few milliseconds.
        memory_bytes: Memory of one evaluator, including the language's runtime (10 MiB).
    """

    condition_bytes: int = 4096
    result_bytes: int = 1 << 20
    seconds: float = 1.0
    slice_seconds: float = 0.1
    memory_bytes: int = 64 << 20


class StopReason(StrEnum):
    """Reasons for which an evaluation ends without a result. The values are part of the CEL worker's protocol."""

    TIME = "time"
    MEMORY = "memory"
    DEPTH = "depth"
    QUEUE_TIMEOUT = "queue timeout"
    QUEUE_FULL = "queue full"
    CLOSED = "closed"
    UNAVAILABLE = "unavailable"

    @property
    def not_evaluated(self) -> bool:
        """Whether the evaluation never started, so that the reason does not depend on the condition."""
        return self in _NOT_EVALUATED


_NOT_EVALUATED = frozenset({StopReason.QUEUE_TIMEOUT, StopReason.QUEUE_FULL, StopReason.CLOSED, StopReason.UNAVAILABLE})


class StoppedError(Exception):
    """An evaluation that ended without a result.

    Args:
        reason: The limit or the event that ended it.
        detail: Text for the log where the reason is UNAVAILABLE.
    """

    def __init__(self, reason: StopReason, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".rstrip())
        self.reason = reason
        self.detail = detail


def describe_stop(reason: StopReason, limits: Limits, *, size: int, timeout: float) -> str:
    """Describe why an evaluation has no result: the limit, its value and a hint.

    Args:
        reason: The reason.
        limits: The limits of the evaluator.
        size: Length of the result in bytes.
        timeout: Seconds that the caller allowed.
    """
    result = f"result of {size:,} bytes"
    match reason:
        case StopReason.TIME:
            return (
                f"time limit of {limits.seconds:g} s exceeded ({result}). Simplify nested all, any, exists or map, "
                "or read fewer buckets."
            )
        case StopReason.MEMORY:
            return (
                f"memory limit of {limits.memory_bytes >> 20} MiB exceeded ({result}). Do not build lists or strings "
                "in a condition, or read fewer buckets."
            )
        case StopReason.DEPTH:
            return f"nesting too deep ({result}). Split the condition, or select less of the result."
        case StopReason.QUEUE_TIMEOUT:
            return (
                f"not evaluated within the remaining {timeout:.3g} s: the machine is overloaded, or conditions of "
                "the same namespace are slow. Measure again later, or simplify the conditions."
            )
        case StopReason.QUEUE_FULL:
            return (
                f"not evaluated: {MAX_QUEUED:,} conditions of the same namespace are queued, or their results have "
                f"its share of {MAX_QUEUED_BYTES >> 20} MiB, which are the limits. Measure less often, simplify the "
                "conditions, or read fewer buckets."
            )
        case StopReason.CLOSED:
            return "the service is stopping. Measure again."
        case StopReason.UNAVAILABLE:
            return "the condition evaluator does not start. Read the reason in the service's log."


def describe_too_long(condition: str, size: int, limits: Limits) -> str:
    """Describe a condition that exceeds its length limit.

    Args:
        condition: The key of the condition.
        size: Its length in bytes.
        limits: The limits of the evaluator.
    """
    return f"{condition} has {size:,} bytes, limit {limits.condition_bytes:,}. Shorten it."


def describe_too_large(size: int, limits: Limits) -> str:
    """Describe a result of `size` bytes that exceeds its length limit."""
    return (
        f"the result has {size:,} bytes, limit {limits.result_bytes:,}. "
        "Select fewer fields in the query, or read fewer buckets."
    )
