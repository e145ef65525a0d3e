"""Fixtures: a browser, and histories for it to show."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock
from tests.history.harness import NOON, MeasurementTimeline, record_timeline


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "Chromium not found. Install it by `make chromium`, or set CHROMIUM to its path."
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


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
