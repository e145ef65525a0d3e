"""Watchdog of the event loop: measures how late a timer is, which is how long everything else had to wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

_INTERVAL_SECONDS: Final = 0.25  # four wake-ups in a second cost less than 0.1 % of one CPU


@asynccontextmanager
async def watch_event_loop(
    observe: Callable[[float], None],
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[None]:
    """Measure the lag of the running event loop until the context ends.

    Args:
        observe: Receives each lag in seconds, four in a second while the loop is not held.
        monotonic: Clock in seconds.
        sleep: Waits for a number of seconds.
    """
    task = asyncio.create_task(_measure_repeatedly(observe, monotonic, sleep), name="event loop lag")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _measure_repeatedly(
    observe: Callable[[float], None], monotonic: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
) -> None:
    while True:
        due = monotonic() + _INTERVAL_SECONDS
        await sleep(_INTERVAL_SECONDS)
        observe(max(0.0, monotonic() - due))
