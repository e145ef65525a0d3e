"""Which questions proved light, and on results of which size. Pure."""

from cachetools import LRUCache

from skywalking_provider.conditions.seat import Question

_LIGHT_SECONDS = 0.002
_REMEMBERED = 4096


class Light:
    """The memory of what answers took."""

    def __init__(self) -> None:
        self._sizes: LRUCache[tuple[bytes, ...], int] = LRUCache(maxsize=_REMEMBERED)

    def __contains__(self, question: Question) -> bool:
        return question.size <= self._sizes.get(question.key, -1)

    def learn(self, question: Question, seconds: float) -> None:
        """Remember a question that took so many seconds of a core; one of twice its size may be tried."""
        if seconds <= _LIGHT_SECONDS:
            self._sizes[question.key] = max(2 * question.size, self._sizes.get(question.key, 0))

    def forget(self, question: Question) -> None:
        """It had to be stopped."""
        self._sizes.pop(question.key, None)
