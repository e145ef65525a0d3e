"""An answer that is asked for by one at a time and used for a while by everybody."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from skywalking_provider.errors import BackendAway
from skywalking_provider.model import Deadline

T = TypeVar("T")


class Cached(Generic[T]):
    """One value with a time to live.

    Args:
        ask: Gets it anew; what it raises is the caller's, and nothing is remembered of it.
        seconds: How long it is used.
    """

    def __init__(self, ask: Callable[[Deadline], Awaitable[T]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        # The state: the last value, when it was asked for (monotonic), and who may renew it.
        self._value: T | None = None
        self._asked_at = float("-inf")
        self._renewing = asyncio.Lock()

    @property
    def peek(self) -> T | None:
        """The last value, however old; None before there was one."""
        return self._value

    async def get(self, deadline: Deadline, *, newer_than: float | None = None) -> T:
        """The value.

        Args:
            deadline: Until when.
            newer_than: A number of seconds, where the usual time to live is too long.

        Raises:
            BackendAway: It could not be had in time.
        """
        seconds = self._seconds if newer_than is None else min(newer_than, self._seconds)
        value = self._fresh(seconds)
        if value is not None:
            return value
        try:
            async with asyncio.timeout(deadline.remaining), self._renewing:
                value = self._fresh(seconds)
                if value is None:
                    asked_at = time.monotonic()
                    value = self._value = await self._ask(deadline)
                    self._asked_at = asked_at
                return value
        except TimeoutError as error:
            raise BackendAway("the backend did not answer in time") from error

    def _fresh(self, seconds: float) -> T | None:
        return self._value if time.monotonic() - self._asked_at < seconds else None
