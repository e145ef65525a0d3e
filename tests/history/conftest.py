"""Fixtures: a browser, and histories for it to show."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock
from tests.chromium import launch_chromium
from tests.history.harness import NOON, MeasurementTimeline, record_timeline


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with launch_chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def timeline() -> MeasurementTimeline:
    return await record_timeline()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def history(clock: ManualClock) -> History:
    return History(500, clock)


@pytest.fixture
def filled_history(timeline: MeasurementTimeline, history: History, clock: ManualClock) -> History:
    timeline.replay(history, clock)
    return history
