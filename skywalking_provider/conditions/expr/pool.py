"""The place of a guest, and the questions it is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skywalking_provider.conditions.expr.instance import WasmInstance
from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.model import Deadline

# A guest whose memory has grown beyond this is not kept: memory never shrinks. Honest ones stay near 9 MiB.
_REUSE_BELOW_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class WasmCall:
    """A call of a guest. Questions with the same `key` are equally hard, near enough, on results of one size."""

    export: str
    fields: Sequence[bytes]
    key: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of what is asked."""
        return sum(map(len, self.fields))


class InstancePool:
    """One guest: there when it is needed, given up when it is not well. One thread at a time.

    Args:
        new_instance: Makes one.
        seconds: What an answer may take.
        reuse: False where every question gets a guest of its own.
    """

    def __init__(self, new_instance: Callable[[], WasmInstance], *, seconds: float, reuse: bool) -> None:
        self._new_instance = new_instance
        self._seconds = seconds
        self._reuse = reuse
        self.instance: WasmInstance | None = None

    def execute(self, call: WasmCall, deadline: Deadline) -> list[bytes]:
        """Answer within the seat's seconds and the deadline.

        Raises:
            StoppedError: A limit of the evaluation, or the deadline.
        """
        seconds = min(self._seconds, deadline.remaining)
        if seconds <= 0:
            raise StoppedError(StopReason.QUEUE_TIMEOUT)
        guest, self.instance = self.instance or self._new_instance(), None
        try:
            answer = guest.call(call.export, call.fields, seconds)
            if self._reuse and guest.memory_bytes < _REUSE_BELOW_BYTES:
                self.instance = guest
            return answer
        finally:
            if self.instance is None:
                guest.close()

    def close(self) -> None:
        """Give the guest up."""
        if self.instance:
            self.instance.close()
            self.instance = None
