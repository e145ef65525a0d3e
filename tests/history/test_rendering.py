"""Rendering of measurements in a real browser, for every phase."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser

from skywalking_provider.analysis.events import MeasurementDetails
from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.model import Window
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from tests.history.browser import open_history_page
from tests.history.harness import NOON, build_event

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_page_without_measurements_shows_a_command_to_try(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.open()
        await history_page.take_screenshot("empty")

        text = await history_page.visible_text()
        assert "No measurement yet" in text
        assert "skywalking-provider check -f template.yaml" in text
        assert history_page.browser_errors == []


async def test_list_shows_every_phase_with_its_summary(
    chromium: Browser, filled_history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, filled_history, clock) as history_page:
        await history_page.open()
        await history_page.take_screenshot("busy")

        assert await history_page.page.title() == "(2 failed) SkyWalking provider"
        rows = await history_page.page.locator("details.entry > summary").all_inner_texts()
        assert len(rows) == len(filled_history)
        top, second, third, *_ = (" ".join(row.split()) for row in rows)
        assert top.startswith("Running success-rate shop / ratings OAP_UNAVAILABLE backend prod at http://127.0.0.1:9")
        assert second.startswith("Error success-rate bookinfo / reviews OAP_REJECTED backend prod responded 401")
        assert third == "Failed success-rate bookinfo / reviews success-rate 0.95 12:21:40"
        for phase, count in (("Failed", 2), ("Error", 2), ("Inconclusive", 1), ("Running", 2), ("Successful", 10)):
            assert await history_page.page.inner_text(f'[data-count="{phase}"]') == str(count)
        assert history_page.browser_errors == []


async def test_failed_entry_shows_reason_window_query_and_threshold(
    chromium: Browser, filled_history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, filled_history, clock) as history_page:
        await history_page.open("/?phase=Failed&phase=Error")
        for summary in await history_page.page.locator("details.entry > summary").all():
            await summary.click()
        await history_page.page.locator(".failed .code-section > summary", has_text="Resolved query").last.click()
        await history_page.take_screenshot("failures", full_page=True)

        text = await history_page.visible_text()
        assert 'CONDITION_NOT_MET success-rate 0.95, wanted "result >= 0.99" · 600 calls in 10 buckets' in text
        assert "12:10–12:20 +0000" in text
        assert "success-rate reviews-6c85f7bf4-9zr8t wanted ≥ 0.99" in text
        assert "service_apdex: readMetricsValues(" in text
        assert "BLOCK_INVALID the block of the metric is invalid: interval: '5' is not a duration" in text
        bars = history_page.page.locator("details.failed .chart").first
        assert await bars.get_attribute("aria-label") == (
            "success-rate reviews-6c85f7bf4-9zr8t: 0.95 to 0.95 in 10 minutes, 0 absent"
        )
        assert await bars.locator(".violates").count() == 10
        assert history_page.browser_errors == []


async def test_chart_absent_bucket_is_a_gap(chromium: Browser, history: History, clock: ManualClock) -> None:
    window = Window(NOON.replace(second=0), NOON.replace(second=0) + timedelta(minutes=3))
    sample = Sample({}, "calls 5 0 –", (), chart_series=(Series("calls", (5, 0, None)),))
    history.add(build_event(details=MeasurementDetails(backend="prod", window=window, sample=sample)))
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.open()
        await history_page.page.click("#s1")

        chart = history_page.page.locator(".chart")
        assert [await chart.locator(f".{kind}").count() for kind in ("bar", "zero", "no-value")] == [1, 1, 1]
        assert await chart.locator("title").all_text_contents() == ["12:00 · 5", "12:01 · 0", "12:02 · absent"]


async def test_open_entry_shows_charts_above_facts(
    chromium: Browser, filled_history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, filled_history, clock) as history_page:
        await history_page.open()
        await history_page.page.click("details.failed > summary")
        await history_page.take_screenshot("open")

        charts = await history_page.page.locator("details[open] .chart-figure").all()
        facts = await history_page.page.locator("details[open] .entry-facts").bounding_box()
        boxes = [await chart.bounding_box() for chart in charts]
        assert facts
        assert all(box and box["y"] + box["height"] <= facts["y"] for box in boxes)
        assert len(boxes) == 2
