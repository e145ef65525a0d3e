"""The place of a guest, and the questions it is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skywalking_provider.conditions.guest import Guest
from skywalking_provider.conditions.limits import Cause, StoppedError
from skywalking_provider.model import Deadline

# A guest whose memory has grown beyond this is not kept: memory never shrinks. Honest ones stay near 9 MiB.
_KEEP_BELOW_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Question:
    """A call of a guest. Questions with the same `key` are equally hard, near enough, on results of one size."""

    export: str
    fields: Sequence[bytes]
    key: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of what is asked."""
        return sum(map(len, self.fields))


class Seat:
    """One guest: there when it is needed, given up when it is not well. One thread at a time.

    Args:
        new_guest: Makes one.
        seconds: What an answer may take.
        keep: False where every question gets a guest of its own.
    """

    def __init__(self, new_guest: Callable[[], Guest], *, seconds: float, keep: bool) -> None:
        self._new_guest = new_guest
        self._seconds = seconds
        self._keep = keep
        self.guest: Guest | None = None

    def answer(self, question: Question, deadline: Deadline) -> list[bytes]:
        """Answer within the seat's seconds and the deadline.

        Raises:
            StoppedError: A limit of the evaluation, or the deadline.
        """
        seconds = min(self._seconds, deadline.remaining)
        if seconds <= 0:
            raise StoppedError(Cause.WAITED)
        guest, self.guest = self.guest or self._new_guest(), None
        try:
            answer = guest.ask(question.export, question.fields, seconds)
            if self._keep and guest.memory_bytes < _KEEP_BELOW_BYTES:
                self.guest = guest
            return answer
        finally:
            if self.guest is None:
                guest.close()

    def close(self) -> None:
        """Give the guest up."""
        if self.guest:
            self.guest.close()
            self.guest = None
