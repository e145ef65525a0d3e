"""Suggestions for names of an OAP server, which has thousands: cached, and limited in comparisons per second.

Authors choose the unknown names, and each is measured again every minute. Beyond the limit, the hint has the number of
known names only.
"""

from collections.abc import Callable, Collection
from typing import Final, Protocol

from cachetools import TTLCache

from skywalking_provider.support.suggestions import (
    MAX_COMPARED_NAMES,
    MAX_NAME_CHARACTERS,
    describe_count,
    did_you_mean,
)

_COMPARISONS_PER_SECOND: Final = 2.0 * MAX_COMPARED_NAMES  # two to eight milliseconds of a second
_MAX_BURST: Final = 4.0 * MAX_COMPARED_NAMES  # eight suggestions at once for an OAP with 5,000 services
_BASE_COMPARISONS: Final = 100  # the constant cost of a suggestion
_CACHED_HINTS: Final = 512
_CACHE_SECONDS: Final = 300.0  # longer than the usual interval of a measurement; names of services change seldom


class Suggest(Protocol):
    """A function that returns a hint for an unknown name, with the arguments of `did_you_mean`."""

    def __call__(self, name: str, known: Collection[str], noun: str = "names", /) -> str: ...


class ComparisonBudget:
    """A token bucket of comparisons between names.

    Args:
        monotonic: Clock in seconds.
        per_second: Comparisons that are added in each second.
        burst: Largest number of comparisons without a pause.
    """

    def __init__(
        self, monotonic: Callable[[], float], per_second: float = _COMPARISONS_PER_SECOND, burst: float = _MAX_BURST
    ) -> None:
        self._monotonic = monotonic
        self._per_second = per_second
        self._burst = burst
        self._available = burst
        self._updated = monotonic()

    def take(self, comparisons: int) -> bool:
        """Take a number of comparisons, and return whether as many were available."""
        now = self._monotonic()
        self._available = min(self._burst, self._available + (now - self._updated) * self._per_second)
        self._updated = now
        if comparisons > self._available:
            return False
        self._available -= comparisons
        return True


class Suggester:
    """Hints for unknown names of one OAP server.

    A hint is cached for five minutes by the unknown name and the number of known names. The cache holds no list of
    names: an OAP's list is fetched again after five seconds if a name is not in it.

    Args:
        budget: Budget of comparisons that all OAP servers share.
        monotonic: Clock of the cache in seconds.
    """

    def __init__(self, budget: ComparisonBudget, monotonic: Callable[[], float]) -> None:
        self._budget = budget
        self._hints: TTLCache[tuple[str, str, int], str] = TTLCache(_CACHED_HINTS, _CACHE_SECONDS, monotonic)

    def __call__(self, name: str, known: Collection[str], noun: str = "names", /) -> str:
        """Return a hint as `did_you_mean` does, or only the number of known names if the budget is spent."""
        if len(name) > MAX_NAME_CHARACTERS and known:
            return describe_count(known, noun)
        key = (name, noun, len(known))
        hint = self._hints.get(key)
        if hint is None:
            if not self._budget.take(_BASE_COMPARISONS + min(len(known), MAX_COMPARED_NAMES)):
                return describe_count(known, noun)
            hint = self._hints[key] = did_you_mean(name, known, noun)
        return hint
