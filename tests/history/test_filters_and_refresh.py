"""The page while somebody uses it: filters, what is renewed and what stays, what is older."""

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


async def test_a_filter_narrows_the_list_and_stays_in_the_address(
    chromium: Browser, filled_history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, filled_history, clock) as visitor:
        await visitor.open()
        await visitor.page.select_option("#namespace", "shop")
        await visitor.page.fill("#name", "checkout")

        await expect(visitor.page.locator("details.entry")).to_have_count(2)
        assert visitor.page.url.endswith("/?namespace=shop&name=checkout")
        await visitor.page.reload()
        await expect(visitor.page.locator("details.entry")).to_have_count(2)
        assert await visitor.page.input_value("#name") == "checkout"
        await visitor.page.fill("#name", "nobody")
        await expect(visitor.page.locator("#empty")).to_contain_text("No measurement matches")
        await visitor.page.click("text=Clear the filter")
        await expect(visitor.page.locator("details.entry")).to_have_count(len(filled_history))


async def test_it_renews_itself_and_keeps_what_is_open_typed_and_chosen(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    history.add(build_event(name="first"))
    async with open_history_page(chromium, history, clock) as visitor:
        await visitor.page.clock.install()
        await visitor.open("/?namespace=bookinfo")
        await visitor.page.click("#s1")
        await visitor.page.focus("#s1")
        history.add(build_event(NOON + timedelta(minutes=1), name="second"))
        history.add(build_event(NOON, name="elsewhere", run=build_run("cart", namespace="shop")))
        await visitor.page.clock.fast_forward(6000)

        await expect(visitor.page.locator("details.entry")).to_have_count(2)
        assert await visitor.page.locator("details.entry .metric").first.inner_text() == "second"
        assert await visitor.page.get_attribute("#m1", "open") is not None
        assert await visitor.page.evaluate("document.activeElement.id") == "s1"
        assert await visitor.page.input_value("#namespace") == "bookinfo"
        assert await visitor.page.locator("#namespace option").all_inner_texts() == ["All", "bookinfo", "shop"]
        assert visitor.browser_errors == []


async def test_a_measurement_that_waits_is_renewed_in_its_place(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    history.add(build_event(phase=Phase.RUNNING, message="NO_DATA nothing yet"))
    async with open_history_page(chromium, history, clock) as visitor:
        await visitor.page.clock.install()
        await visitor.open()
        await visitor.page.click("#s1")
        history.add(build_event(phase=Phase.SUCCESSFUL))
        await visitor.page.clock.fast_forward(6000)

        await expect(visitor.page.locator("#m1 .phase")).to_have_text("Successful")
        assert await visitor.page.get_attribute("#m1", "open") is not None
        assert "answer 2" in await visitor.page.inner_text("#m1")


async def test_it_can_be_paused(chromium: Browser, history: History, clock: ManualClock) -> None:
    async with open_history_page(chromium, history, clock) as visitor:
        await visitor.page.clock.install()
        await visitor.open()
        await visitor.page.click("#pause")
        history.add(build_event())
        await visitor.page.clock.fast_forward(60_000)
        assert "No measurement yet" in await visitor.visible_text()

        await visitor.page.click("#pause")
        await expect(visitor.page.locator("details.entry")).to_have_count(1)


async def test_a_service_that_is_gone_is_said_to_be_gone(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, history, clock) as visitor:
        await visitor.page.clock.install()
        await visitor.open()
        await visitor.page.context.set_offline(True)
        await visitor.page.clock.fast_forward(6000)

        await expect(visitor.page.locator("#live-text")).to_have_text("the service does not answer")


async def test_older_measurements_are_a_click_away(chromium: Browser, history: History, clock: ManualClock) -> None:
    for at in range(100):
        history.add(build_event(NOON + timedelta(minutes=at)))
    async with open_history_page(chromium, history, clock) as visitor:
        await visitor.open("/?namespace=bookinfo")
        assert "The latest 40 of 100 measurements" in await visitor.visible_text()
        await visitor.page.click("text=Show all 100")

        await expect(visitor.page.locator("details.entry")).to_have_count(100)
        assert visitor.page.url.endswith("/?namespace=bookinfo&all=1")


async def test_an_answer_that_takes_longer_than_it_is_waited_for_is_shown_when_it_comes(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    script = read_static_file("page.js").decode()
    quick = script.replace("EVERY = 5000", "EVERY = 200")
    assert quick != script
    async with open_history_page(chromium, history, clock) as visitor:
        await visitor.page.route("**/page.js", lambda route: route.fulfill(body=quick, content_type="text/javascript"))
        await visitor.open("/?all=1")
        for at in range(500):
            history.add(build_event(NOON + timedelta(seconds=at), details=LONG))

        await expect(visitor.page.locator("details.entry")).to_have_count(500)
        await expect(visitor.page.locator("#live")).to_have_attribute("data-state", "live")
