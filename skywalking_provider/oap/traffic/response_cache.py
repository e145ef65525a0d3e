"""Answers that serve again for a while, bounded in number and size; a failure is none."""

import marshal
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cachetools import LRUCache

from skywalking_provider.model import Window
from skywalking_provider.oap.api.response_data import ResponseData

_MAX_CACHE_BYTES: Final = 2 * 1024 * 1024  # of all answers, packed: unpacked they would take some eight times as much
_MAX_RESPONSE_CHARACTERS: Final = 64 * 1024  # of one answer
_MIN_ENTRY_BYTES: Final = 512  # counted for a small one: no more than 4,096 are kept
IMMUTABLE_TTL_SECONDS: Final = 600.0
"""How long the answer to a settled window serves. Its buckets change no more, but an OAP's memory may be corrected
(a restored storage, an agent that was offline), and a verdict is little older than this."""


def is_immutable(window: Window | None, settle: timedelta, oap_now: datetime | None) -> bool:
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
class _CachedResponse:
    packed: bytes
    expires_at: float


class ResponseCache:
    """The answers of one backend by question."""

    def __init__(self) -> None:
        # The state: answers that serve until their monotonic instant; the least used give way.
        self._entries: LRUCache[bytes, _CachedResponse] = LRUCache(
            _MAX_CACHE_BYTES, getsizeof=lambda kept: max(_MIN_ENTRY_BYTES, len(kept.packed))
        )

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> dict[str, Any] | None:
        """An answer that serves still."""
        kept = self._entries.get(key)
        if kept is None or time.monotonic() >= kept.expires_at:
            return None
        data: dict[str, Any] = marshal.loads(kept.packed)  # noqa: S302 - what `keep` packed, in this process
        return data

    def put(self, key: bytes, data: dict[str, Any], expires_at: float) -> None:
        """Let an answer serve until a monotonic instant."""
        small = not isinstance(data, ResponseData) or data.size <= _MAX_RESPONSE_CHARACTERS
        if small and time.monotonic() < expires_at:
            self._entries[key] = _CachedResponse(marshal.dumps(dict(data)), expires_at)
