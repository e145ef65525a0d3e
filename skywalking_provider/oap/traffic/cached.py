"""An answer that is asked for by one flight at a time and used for a while by everybody."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline
from skywalking_provider.oap.traffic.shared_request import INTERNAL_TENANT, SharedRequest

T = TypeVar("T")


class RefreshingValue(Generic[T]):
    """One value with a time to live. Who waits shares what the flight brings, a failure too.

    Args:
        description: For messages, such as "the clock of backend prod".
        fetch: Gets it anew for those who wait; nothing is remembered of a failure.
        ttl_seconds: How long it is used.
    """

    def __init__(self, description: str, fetch: Callable[[SharedRequest], Awaitable[T]], ttl_seconds: float) -> None:
        self._description = description
        self._fetch = fetch
        self._ttl_seconds = ttl_seconds
        # The state: the last value, when it was asked for (monotonic), and the flight for a new one.
        self._value: T | None = None
        self._requested_at = float("-inf")
        self._task: asyncio.Task[T] | None = None
        self._shared_request = SharedRequest(Deadline(0.0), [INTERNAL_TENANT])

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
        seconds = self._ttl_seconds if newer_than is None else min(newer_than, self._ttl_seconds)
        if self._value is not None and time.monotonic() - self._requested_at < seconds:
            return self._value
        if self._task is None or self._task.done():
            self._shared_request = SharedRequest(deadline, [INTERNAL_TENANT])
            self._task = asyncio.create_task(self._refresh(self._shared_request))
            self._task.add_done_callback(_retrieve_exception)
        flight, errand = self._task, self._shared_request
        errand.extend(deadline)
        errand.waiters += 1
        try:
            async with asyncio.timeout(deadline.remaining):
                return await asyncio.shield(flight)
        except TimeoutError as error:
            raise BackendUnavailableError(
                f"{self._description} could not be read in time", kind=FailureKind.DEADLINE
            ) from error
        finally:
            errand.waiters -= 1

    async def close(self) -> None:
        """End the flight, if there is one."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _refresh(self, shared_request: SharedRequest) -> T:
        asked_at = time.monotonic()
        value = await self._fetch(shared_request)
        self._value, self._requested_at = value, asked_at
        return value


def _retrieve_exception(task: asyncio.Task[T]) -> None:
    """A failure that nobody waits for any more is no failure of the loop."""
    if not task.cancelled():
        task.exception()
