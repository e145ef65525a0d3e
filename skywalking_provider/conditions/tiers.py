"""The rule by which both condition languages choose between the fast tier and the isolated tier.

Every condition starts in the fast tier, where the evaluator is shared and the time limit is short. A condition that
exceeds one of the tier's limits there is evaluated again in the isolated tier with the full limits. It starts there
the next time, and so do unknown conditions of its namespace for a minute. Each tier evaluates one condition at a
time, and the namespaces share it fairly.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from skywalking_provider.conditions.fair_slot import FairSlot
from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.conditions.slow_conditions import Key, SlowConditions
from skywalking_provider.model import Deadline

# The limits that differ between the tiers: time by the slice, memory by what earlier evaluations left behind.
TIER_LIMITS = frozenset({StopReason.TIME, StopReason.MEMORY})

Response = TypeVar("Response")


class Tiers:
    """The queues of both tiers, and the choice between them. Belongs to the event loop of its first use.

    Args:
        slice_seconds: Time limit of the fast tier.
        tier_limits: Limits that an evaluation may exceed in the fast tier, but not in the isolated tier.
        monotonic: Clock in seconds.
    """

    def __init__(
        self,
        slice_seconds: float,
        tier_limits: frozenset[StopReason] = TIER_LIMITS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tier_limits = tier_limits
        self._fast_slot = FairSlot(monotonic=monotonic)
        self._isolated_slot = FairSlot(monotonic=monotonic)
        self.slow_conditions = SlowConditions(slice_seconds, monotonic)

    async def run(
        self,
        key: Key,
        namespace: str,
        deadline: Deadline,
        *,
        size: int = 0,
        fast: Callable[[], Awaitable[Response]],
        isolated: Callable[[], Awaitable[tuple[Response, float]]],
    ) -> Response:
        """Evaluate a condition in the tier that suits it.

        Args:
            key: The condition's texts.
            namespace: Namespace of the measurement.
            deadline: Deadline of the caller.
            size: Bytes of the result.
            fast: Evaluation in the fast tier.
            isolated: Evaluation in the isolated tier; returns its CPU time in seconds too.

        Raises:
            StoppedError: A limit that the isolated tier has too was exceeded, or the condition was not evaluated.
        """
        slow_conditions = self.slow_conditions

        async def run_fast() -> Response:
            if slow_conditions.is_suspected(namespace, key):  # since it was queued
                raise _MovedError
            try:
                response = await fast()
            except StoppedError as error:
                if not self._exceeds_tier(error, deadline):
                    raise
                slow_conditions.add(namespace, key)
                raise _MovedError from None
            slow_conditions.add_fast(namespace, key)
            return response

        async def run_isolated() -> Response:
            try:
                response, cpu_seconds = await isolated()
            except StoppedError as error:
                if self._exceeds_tier(error, deadline):
                    slow_conditions.add(namespace, key)
                raise
            slow_conditions.record_duration(namespace, key, cpu_seconds)
            return response

        if not slow_conditions.is_suspected(namespace, key):
            try:
                return await self._fast_slot.run(namespace, deadline, run_fast, size=size)
            except _MovedError:
                pass
        return await self._isolated_slot.run(namespace, deadline, run_isolated, size=size)

    def close(self) -> None:
        """End all queued evaluations with `StopReason.CLOSED`, and accept no more."""
        self._fast_slot.close()
        self._isolated_slot.close()

    def _exceeds_tier(self, error: StoppedError, deadline: Deadline) -> bool:
        """Return whether an evaluation ended by a limit of its tier, not by the deadline of its caller.

        Raises:
            StoppedError: QUEUE_TIMEOUT, if it was the deadline.
        """
        if error.reason is StopReason.TIME and not deadline.remaining:
            raise StoppedError(StopReason.QUEUE_TIMEOUT) from None
        return error.reason in self._tier_limits


class _MovedError(Exception):
    """The condition must be evaluated in the isolated tier."""
