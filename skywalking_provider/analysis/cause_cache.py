"""Cache of causes: Failed measurements of the same services and minutes share what explains them.

Bursts of analysis runs fail together. A response is reused for `cache.responseTtl`, a few seconds, and one with the
minutes of ten endpoints may be too large for the response cache. A cause is small, and nothing depends on its age.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import TTLCache

from skywalking_provider.model import Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.target import CauseTarget

TTL_SECONDS: Final = 60.0
"""A window is the newest closed one for a minute."""
_MAX_CACHE_BYTES: Final = 4 * 1024 * 1024  # of all entries, by their approximate size
_ENTRY_BYTES: Final = 1024  # of an entry without its items and texts
_ITEM_BYTES: Final = 512  # of one endpoint, trace or log, without its texts


@dataclass(frozen=True, slots=True)
class CauseKey:
    """Inputs of a cause.

    Attributes:
        target: Services and instances to explain.
        backend: Name of their backend.
        credentials_version: Version of the credentials for its requests.
        window: Window of the measurement.
    """

    target: CauseTarget
    backend: str
    credentials_version: str
    window: Window


@dataclass(frozen=True, slots=True)
class CachedCause:
    """A cause that was read.

    Attributes:
        cause: The cause; None if OAP has nothing that explains the verdict.
    """

    cause: Cause | None


class CauseCache:
    """TTL cache of causes, bounded in bytes. The least recently used ones are evicted first.

    Args:
        monotonic: Monotonic clock in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._entries: TTLCache[CauseKey, CachedCause] = TTLCache(
            _MAX_CACHE_BYTES, TTL_SECONDS, timer=monotonic, getsizeof=_approximate_size
        )

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: CauseKey) -> CachedCause | None:
        """Return the cause of a key until it expires; None if none is cached."""
        return self._entries.get(key)

    def put(self, key: CauseKey, cause: Cause | None, backend: Backend) -> None:
        """Cache a cause, unless the backend's configuration disables the reuse of responses."""
        if backend.connection.config.cache.response_ttl:
            self._entries[key] = CachedCause(cause)


def cause_size(cause: Cause | None) -> int:
    """Return the approximate memory of a cause in bytes."""
    return _ITEM_BYTES * cause.items + 4 * cause.size if cause else 0


def _approximate_size(cached: CachedCause) -> int:
    return _ENTRY_BYTES + cause_size(cached.cause)
