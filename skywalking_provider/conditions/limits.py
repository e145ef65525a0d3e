"""What one evaluation may take, and the sentences for those that want more."""

from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one evaluation. The controller has none: there, one condition can take all memory or run for hours.

    Attributes:
        condition_bytes: Length of a condition, UTF-8. The parser is recursive, and text is what bounds it.
        result_bytes: Length of a result, JSON. Some 18,000 buckets; Argo could not store a value near it.
        seconds: Time of one evaluation, both conditions, once it runs.
        slice_seconds: What an evaluation may take of the lane that everybody shares, before it goes on alone.
            An honest one takes a few milliseconds: see `lanes`.
        memory_bytes: Memory of one evaluator, the language's runtime (10 MiB) included.
    """

    condition_bytes: int = 4096
    result_bytes: int = 1 << 20
    seconds: float = 1.0
    slice_seconds: float = 0.1
    memory_bytes: int = 64 << 20


class StopReason(Enum):
    """Why an evaluation has no answer."""

    TIME = auto()
    MEMORY = auto()
    DEPTH = auto()
    QUEUE_TIMEOUT = auto()
    CLOSED = auto()
    UNAVAILABLE = auto()

    @property
    def not_evaluated(self) -> bool:
        """Whether it says nothing about the condition: nobody got to it."""
        return self in (StopReason.QUEUE_TIMEOUT, StopReason.CLOSED, StopReason.UNAVAILABLE)


class StoppedError(Exception):
    """An evaluation ended without an answer. `detail` is for the log where the cause is BROKEN."""

    def __init__(self, reason: StopReason, detail: str = "") -> None:
        super().__init__(f"{reason.name.lower()} {detail}".rstrip())
        self.reason = reason
        self.detail = detail


def describe_stop(reason: StopReason, limits: Limits, *, size: int, timeout: float) -> str:
    """Say why there is no answer: the limit, its value, the remedy. `size` is the result's, in bytes."""
    on = f"(the result has {size:,} bytes)"
    match reason:
        case StopReason.TIME:
            return (
                f"stopped at the limit of {limits.seconds:g} s {on}: all, any, exists and map multiply; "
                "ask for less in the condition, or read fewer buckets"
            )
        case StopReason.MEMORY:
            return (
                f"stopped at the limit of {limits.memory_bytes >> 20} MiB of memory {on}: "
                "do not build lists or texts in a condition, or read fewer buckets"
            )
        case StopReason.DEPTH:
            return f"nested too deep {on}: take the condition apart, or select less of the result"
        case StopReason.QUEUE_TIMEOUT:
            return (
                f"no answer within the {timeout:.3g} s left for it: the machine is busy, or conditions of other "
                "measurements keep running into their limits"
            )
        case StopReason.CLOSED:
            return "the service is stopping; measure again"
        case StopReason.UNAVAILABLE:
            return "the evaluator does not start; the service's log says why"


def describe_too_long(condition: str, size: int, limits: Limits) -> str:
    """Refuse a condition by its length; `condition` says which one."""
    return f"{condition} has {size:,} bytes, more than the {limits.condition_bytes:,} that are read: shorten it"


def describe_too_large(size: int, limits: Limits) -> str:
    """Refuse a result by its length."""
    return (
        f"the result has {size:,} bytes, more than the {limits.result_bytes:,} that are judged: "
        "select fewer fields in the query, or read fewer buckets"
    )
