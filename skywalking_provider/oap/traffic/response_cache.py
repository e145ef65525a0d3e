"""Response cache: LRU cache of responses with a TTL, bounded in number and size. Failures are not cached."""

import marshal
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cachetools import LRUCache

from skywalking_provider.model import Window
from skywalking_provider.oap.api.response_data import ResponseData, response_size

_MAX_CACHE_BYTES: Final = 2 * 1024 * 1024  # of all packed responses; unpacked they take about eight times as much
_MIN_COMPRESSED_BYTES: Final = 4096
"""Packed size from which on a response is compressed. A fifth remains of the series of instances over an hour."""
MAX_RESPONSE_CHARACTERS: Final = 128 * 1024
"""Largest size of one response. A larger one is not cached: to pack it would hold the event loop for milliseconds."""
_MIN_ENTRY_BYTES: Final = 512  # counted for a small response, so that at most 4,096 are cached
IMMUTABLE_TTL_SECONDS: Final = 600.0
"""TTL of the response for an immutable window, 10 minutes. Its buckets do not change any more, but OAP's data may be
corrected (a restored storage, an agent that was offline), and no verdict may be much older than this."""


def is_immutable(window: Window | None, settle: timedelta, oap_now: datetime | None) -> bool:
    """Return whether all buckets of a window are older than twice the settle delay, so that late data have arrived.

    Args:
        window: Window of the request; None if it is not known.
        settle: Settle delay of the backend.
        oap_now: Time of the OAP when the request was sent; None if it is not known.
    """
    if window is None or oap_now is None:
        return False
    return window.end <= oap_now - max(2 * settle, window.step)


@dataclass(frozen=True, slots=True)
class _CachedResponse:
    packed: bytes
    compressed: bool
    size: int
    expires_at: float


class ResponseCache:
    """Responses of one backend by request key.

    Args:
        monotonic: Clock of the expiry.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        # State: responses with their expiry; the least recently used ones are evicted first.
        self._entries: LRUCache[bytes, _CachedResponse] = LRUCache(
            _MAX_CACHE_BYTES, getsizeof=lambda entry: max(_MIN_ENTRY_BYTES, len(entry.packed))
        )

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> dict[str, Any] | None:
        """Return the response of a request, or None if none is cached or its TTL has ended."""
        entry = self._entries.get(key)
        if entry is None or self._monotonic() >= entry.expires_at:
            return None
        packed = zlib.decompress(entry.packed) if entry.compressed else entry.packed
        data: dict[str, Any] = marshal.loads(packed)  # noqa: S302 - packed by `put`, in this process
        return ResponseData.from_data(data, entry.size)

    def put(self, key: bytes, data: dict[str, Any], expires_at: float) -> None:
        """Cache a response until an instant of the clock, unless it is too large or expired."""
        size = response_size(data)
        if size <= MAX_RESPONSE_CHARACTERS and self._monotonic() < expires_at:
            packed = marshal.dumps(dict(data))
            compressed = len(packed) >= _MIN_COMPRESSED_BYTES
            if compressed:
                packed = zlib.compress(packed, zlib.Z_BEST_SPEED)
            self._entries[key] = _CachedResponse(packed, compressed, size, expires_at)
