"""The rule by which both condition languages choose between the fast tier and the isolated tier.

Every condition starts in the fast tier, where the evaluator is shared and the time limit is short. A condition that
exceeds one of the tier's limits there is evaluated again in the isolated tier with the full limits. It starts there
the next time, so it delays the other conditions only once.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from skywalking_provider.conditions.limits import StoppedError, StopReason

_MAX_ENTRIES = 256
# The limits that differ between the tiers: time by the slice, memory by what earlier evaluations left behind.
TIER_LIMITS = frozenset({StopReason.TIME, StopReason.MEMORY})

Response = TypeVar("Response")
Key = tuple[str | bytes, ...]


class SlowConditions:
    """Bounded LRU memory of the conditions that exceeded a limit in the fast tier.

    Args:
        slice_seconds: Time limit of the fast tier. A condition that takes less in the isolated tier is forgotten.
        tier_limits: Limits that an evaluation may exceed in the fast tier, but not in the isolated tier.
    """

    def __init__(self, slice_seconds: float, tier_limits: frozenset[StopReason] = TIER_LIMITS) -> None:
        self._slice_seconds = slice_seconds
        self._tier_limits = tier_limits
        self._keys: OrderedDict[Key, None] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Key) -> None:
        """Remember a condition, and drop the oldest one beyond the bound."""
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > _MAX_ENTRIES:
            self._keys.popitem(last=False)

    async def run(
        self,
        key: Key,
        *,
        fast: Callable[[], Awaitable[Response]],
        isolated: Callable[[], Awaitable[tuple[Response, float]]],
    ) -> Response:
        """Evaluate a condition in the tier that suits it.

        Args:
            key: The condition's texts.
            fast: Evaluation in the fast tier.
            isolated: Evaluation in the isolated tier; returns its duration in seconds too.

        Raises:
            StoppedError: A limit that the isolated tier has too was exceeded, or the condition was not evaluated.
        """
        if key not in self._keys:
            try:
                return await fast()
            except StoppedError as error:
                if error.reason not in self._tier_limits:
                    raise
                self.add(key)
        response, seconds = await isolated()
        if seconds < self._slice_seconds:  # it exceeded the slice only because the machine was busy
            self._keys.pop(key, None)
        return response
