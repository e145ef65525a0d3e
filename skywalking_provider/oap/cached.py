"""An answer that is asked for by one flight at a time and used for a while by everybody."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from skywalking_provider.errors import BackendAway
from skywalking_provider.model import Deadline
from skywalking_provider.oap.errand import OWN, Errand

T = TypeVar("T")


class Cached(Generic[T]):
    """One value with a time to live. Who waits shares what the flight brings, a failure too.

    Args:
        what: For messages, such as "the clock of backend prod".
        ask: Gets it anew for those who wait; nothing is remembered of a failure.
        seconds: How long it is used.
    """

    def __init__(self, what: str, ask: Callable[[Errand], Awaitable[T]], seconds: float) -> None:
        self._what = what
        self._ask = ask
        self._seconds = seconds
        # The state: the last value, when it was asked for (monotonic), and the flight for a new one.
        self._value: T | None = None
        self._asked_at = float("-inf")
        self._flight: asyncio.Task[T] | None = None
        self._errand = Errand(Deadline(0.0), [OWN])

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
            ProviderError: What asking for it raised.
        """
        seconds = self._seconds if newer_than is None else min(newer_than, self._seconds)
        if self._value is not None and time.monotonic() - self._asked_at < seconds:
            return self._value
        if self._flight is None or self._flight.done():
            self._errand = Errand(deadline, [OWN])
            self._flight = asyncio.create_task(self._renew(self._errand))
            self._flight.add_done_callback(_seen)
        flight, errand = self._flight, self._errand
        errand.extend(deadline)
        errand.waiting += 1
        try:
            async with asyncio.timeout(deadline.remaining):
                return await asyncio.shield(flight)
        except TimeoutError as error:
            raise BackendAway(f"{self._what} could not be read in time") from error
        finally:
            errand.waiting -= 1

    async def close(self) -> None:
        """End the flight, if there is one."""
        if self._flight is not None and not self._flight.done():
            self._flight.cancel()
            await asyncio.wait({self._flight})

    async def _renew(self, errand: Errand) -> T:
        asked_at = time.monotonic()
        value = await self._ask(errand)
        self._value, self._asked_at = value, asked_at
        return value


def _seen(flight: asyncio.Task[T]) -> None:
    """A failure that nobody waits for any more is no failure of the loop."""
    if not flight.cancelled():
        flight.exception()
