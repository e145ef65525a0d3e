"""Filters and refresh of the page: which parts are updated, and which keep their state."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from skywalking_provider.analysis.events import MeasurementDetails
from skywalking_provider.history.store import History
from skywalking_provider.history.view import read_static_file
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.model import Phase, Window
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from tests.history.browser import open_history_page
from tests.history.harness import NOON, build_event, build_run

LONG = MeasurementDetails(
    window=Window(NOON, NOON + timedelta(minutes=100)),
    sample=Sample({}, "", (), chart_series=(Series("p99", (1,) * 100),)),
)
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_filter_narrows_the_list_and_is_kept_in_the_address(
    chromium: Browser, filled_history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, filled_history, clock) as history_page:
        await history_page.open()
        await history_page.page.select_option("#namespace", "shop")
        await history_page.page.fill("#name", "checkout")

        await expect(history_page.page.locator("details.entry")).to_have_count(2)
        assert history_page.page.url.endswith("/?namespace=shop&name=checkout")
        await history_page.page.reload()
        await expect(history_page.page.locator("details.entry")).to_have_count(2)
        assert await history_page.page.input_value("#name") == "checkout"
        await history_page.page.fill("#name", "no-such-name")
        await expect(history_page.page.locator("#empty")).to_contain_text("No measurement matches")
        await history_page.page.click("text=Clear the filter")
        await expect(history_page.page.locator("details.entry")).to_have_count(len(filled_history))


async def test_refresh_keeps_open_entries_focus_and_filters(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    history.add(build_event(name="first"))
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.page.clock.install()
        await history_page.open("/?namespace=bookinfo")
        await history_page.page.click("#s1")
        await history_page.page.focus("#s1")
        history.add(build_event(NOON + timedelta(minutes=1), name="second"))
        history.add(build_event(NOON, name="elsewhere", run=build_run("cart", namespace="shop")))
        await history_page.page.clock.fast_forward(6000)

        await expect(history_page.page.locator("details.entry")).to_have_count(2)
        assert await history_page.page.locator("details.entry .metric").first.inner_text() == "second"
        assert await history_page.page.get_attribute("#m1", "open") is not None
        assert await history_page.page.evaluate("document.activeElement.id") == "s1"
        assert await history_page.page.input_value("#namespace") == "bookinfo"
        assert await history_page.page.locator("#namespace option").all_inner_texts() == ["All", "bookinfo", "shop"]
        assert history_page.browser_errors == []


async def test_refresh_updates_a_pending_measurement_in_place(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    history.add(build_event(phase=Phase.RUNNING, message="NO_DATA nothing yet"))
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.page.clock.install()
        await history_page.open()
        await history_page.page.click("#s1")
        history.add(build_event(phase=Phase.SUCCESSFUL))
        await history_page.page.clock.fast_forward(6000)

        await expect(history_page.page.locator("#m1 .phase")).to_have_text("Successful")
        assert await history_page.page.get_attribute("#m1", "open") is not None
        assert "attempt 2" in await history_page.page.inner_text("#m1")


async def test_refresh_paused_does_not_update(chromium: Browser, history: History, clock: ManualClock) -> None:
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.page.clock.install()
        await history_page.open()
        await history_page.page.click("#pause")
        history.add(build_event())
        await history_page.page.clock.fast_forward(60_000)
        assert "No measurement yet" in await history_page.visible_text()

        await history_page.page.click("#pause")
        await expect(history_page.page.locator("details.entry")).to_have_count(1)


async def test_refresh_service_unreachable_shows_the_error(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.page.clock.install()
        await history_page.open()
        await history_page.page.context.set_offline(True)
        await history_page.page.clock.fast_forward(6000)

        await expect(history_page.page.locator("#refresh-text")).to_have_text("the service does not respond")


async def test_show_all_lists_older_measurements(chromium: Browser, history: History, clock: ManualClock) -> None:
    for at in range(100):
        history.add(build_event(NOON + timedelta(minutes=at)))
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.open("/?namespace=bookinfo")
        assert "The latest 40 of 100 measurements" in await history_page.visible_text()
        await history_page.page.click("text=Show all 100")

        await expect(history_page.page.locator("details.entry")).to_have_count(100)
        assert history_page.page.url.endswith("/?namespace=bookinfo&all=1")


async def test_refresh_slow_response_is_shown_when_complete(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    script = read_static_file("page.js").decode()
    fast = script.replace("REFRESH_MS = 5000", "REFRESH_MS = 200")
    assert fast != script
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.page.route(
            "**/page.js", lambda route: route.fulfill(body=fast, content_type="text/javascript")
        )
        await history_page.open("/?all=1")
        for at in range(500):
            history.add(build_event(NOON + timedelta(seconds=at), details=LONG))

        await expect(history_page.page.locator("details.entry")).to_have_count(500)
        await expect(history_page.page.locator("#refresh-status")).to_have_attribute("data-state", "live")
