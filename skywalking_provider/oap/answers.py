"""Answers that serve again for a while, bounded in number and size; a failure is none."""

import marshal
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cachetools import LRUCache

from skywalking_provider.model import Window

_BYTES: Final = 2 * 1024 * 1024  # of all answers, packed: unpacked they would take some eight times as much
_LARGEST: Final = 64 * 1024  # of one answer
_LEAST: Final = 512  # counted for a small one: no more than 4,096 are kept
SETTLED_SECONDS: Final = 600.0
"""How long the answer to a settled window serves. Its buckets change no more, but an OAP's memory may be corrected
(a restored storage, an agent that was offline), and a verdict is little older than this."""


class Answer(dict[str, Any]):
    """The `data` of an answer; nobody may change it.

    Attributes:
        size: Characters of its text.
    """

    size: int = 0

    @classmethod
    def of(cls, data: dict[str, Any], size: int) -> "Answer":
        """The data with the size of their text."""
        answer = cls(data)
        answer.size = size
        return answer


def settled(window: Window | None, settle: timedelta, oap_now: datetime | None) -> bool:
    """Whether all buckets that a read saw are older than twice the settle delay: late data have come by then.

    Args:
        window: What it read; None where that is not known.
        settle: The backend's settle delay.
        oap_now: The OAP's clock when it was asked; None where that is not known.
    """
    if window is None or oap_now is None:
        return False
    return window.end <= oap_now - max(2 * settle, window.step)


@dataclass(frozen=True, slots=True)
class _Kept:
    packed: bytes
    until: float


class Answers:
    """The answers of one backend by question."""

    def __init__(self) -> None:
        # The state: answers that serve until their monotonic instant; the least used give way.
        self._kept: LRUCache[bytes, _Kept] = LRUCache(_BYTES, getsizeof=lambda kept: max(_LEAST, len(kept.packed)))

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: bytes) -> dict[str, Any] | None:
        """An answer that serves still."""
        kept = self._kept.get(question)
        if kept is None or time.monotonic() >= kept.until:
            return None
        data: dict[str, Any] = marshal.loads(kept.packed)  # noqa: S302 - what `keep` packed, in this process
        return data

    def keep(self, question: bytes, data: dict[str, Any], until: float) -> None:
        """Let an answer serve until a monotonic instant."""
        small = not isinstance(data, Answer) or data.size <= _LARGEST
        if small and time.monotonic() < until:
            self._kept[question] = _Kept(marshal.dumps(dict(data)), until)
