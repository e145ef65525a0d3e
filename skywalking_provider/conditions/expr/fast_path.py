"""Which questions proved light, and on results of which size. Pure."""

from cachetools import LRUCache

from skywalking_provider.conditions.expr.pool import WasmCall

_FAST_PATH_SECONDS = 0.002
_MAX_ENTRIES = 4096


class FastPathCache:
    """The memory of what answers took."""

    def __init__(self) -> None:
        self._sizes: LRUCache[tuple[bytes, ...], int] = LRUCache(maxsize=_MAX_ENTRIES)

    def __contains__(self, call: WasmCall) -> bool:
        return call.size <= self._sizes.get(call.key, -1)

    def record_duration(self, call: WasmCall, seconds: float) -> None:
        """Remember a question that took so many seconds of a core; one of twice its size may be tried."""
        if seconds <= _FAST_PATH_SECONDS:
            self._sizes[call.key] = max(2 * call.size, self._sizes.get(call.key, 0))

    def remove(self, call: WasmCall) -> None:
        """It had to be stopped."""
        self._sizes.pop(call.key, None)
