"""Tests of the event loop's watchdog, in virtual time."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.telemetry.event_loop_lag import watch_event_loop
from tests.oap.virtual_time import in_virtual_time, monotonic


@in_virtual_time
async def test_loop_that_is_not_held_has_no_lag() -> None:
    lags: list[float] = []

    async with watch_event_loop(lags.append, monotonic):
        await asyncio.sleep(60.1)

    assert len(lags) == 240
    assert max(lags) < 1e-6


@in_virtual_time
async def test_callback_that_holds_the_loop_is_measured() -> None:
    lags: list[float] = []
    held = 0.0

    def hold_loop() -> None:
        nonlocal held
        held += 3.5

    async with watch_event_loop(lags.append, lambda: monotonic() + held):
        asyncio.get_running_loop().call_later(10.1, hold_loop)
        await asyncio.sleep(20)

    assert [round(lag, 3) for lag in lags if lag > 0.001] == [3.5]


@given(st.lists(st.floats(0, 100), max_size=20))
def test_each_wake_up_reports_its_own_lateness(lateness: list[float]) -> None:
    """A late wake-up does not count for the next ones, and the clock may not run backwards."""
    lags: list[float] = []
    remaining = list(lateness)
    now = 0.0
    finished = asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal now
        if not remaining:
            finished.set()
            await asyncio.Event().wait()
        now += seconds + remaining.pop(0)

    async def watch() -> None:
        async with watch_event_loop(lags.append, lambda: now, sleep):
            await finished.wait()

    asyncio.run(watch())

    assert all(abs(lag - late) < 1e-6 for lag, late in zip(lags, lateness, strict=True))


@in_virtual_time
async def test_watchdog_ends_with_its_context() -> None:
    lags: list[float] = []
    async with watch_event_loop(lags.append, monotonic):
        await asyncio.sleep(1.1)
    count = len(lags)

    await asyncio.sleep(10)

    assert len(lags) == count
    assert len(asyncio.all_tasks()) == 1
