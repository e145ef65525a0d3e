"""Cause of a Failed measurement on the history page: endpoints as bars, the canary beside stable."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser

from skywalking_provider.analysis.events import MeasurementDetails
from skywalking_provider.history.filter import HistoryFilter
from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock, Scenario
from skywalking_provider.mock_oap.scenario import load_scenario
from skywalking_provider.model import Phase
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoints import Traffic, rank_endpoints
from skywalking_provider.queries.causes.target import Contribution
from tests.analysis.judged import metric
from tests.history.browser import NARROW, open_history_page
from tests.history.harness import NOON, build_event, build_run, open_history_harness

pytestmark = pytest.mark.asyncio(loop_scope="module")
CANARY, STABLE = (f"{version}|reviews|bookinfo|cluster-1|-" for version in ("canary", "stable"))
JUDGED = {"sli": "success-rate", "service": CANARY, "compare": {"service": STABLE}}


@asynccontextmanager
async def history_of(scenario: str | Scenario, **block: Any) -> AsyncIterator[tuple[History, ManualClock]]:
    """Yield the history with one measurement of a judged block."""
    clock = ManualClock(NOON)
    history = History(10, clock)
    loaded = load_scenario(scenario) if isinstance(scenario, str) else scenario
    async with open_history_harness(history.add, clock, loaded) as harness:
        clock.set(NOON + timedelta(minutes=20))
        await harness.measure(metric(JUDGED | block), replace(build_run("reviews"), started_at=NOON))
        yield history, clock


async def test_entry_keeps_the_endpoints_and_counts_their_size() -> None:
    async with history_of("failing-endpoint") as (history, _):
        (entry,) = history.find(HistoryFilter(), 10)
    assert entry.phase is Phase.FAILED
    assert entry.cause is not None
    (bars,) = entry.cause.bars
    first, second = bars.endpoints
    assert (first.name, first.canary, first.stable) == ("POST:/reviews", 1.0, 0.0)
    assert second.canary == second.stable
    assert entry.size - replace(entry, cause=None).size >= 1200


@pytest.mark.parametrize(
    "options", [{}, {"color_scheme": "dark"}, {"viewport": NARROW}], ids=["light", "dark", "narrow"]
)
async def test_failed_measurement_opens_with_its_cause(chromium: Browser, options: dict[str, Any]) -> None:
    async with (
        history_of("failing-endpoint") as (history, clock),
        open_history_page(chromium, history, clock, **options) as history_page,
    ):
        await history_page.open()
        await history_page.page.locator("details.entry > summary").click()
        await history_page.take_screenshot(f"cause-{'-'.join(options) or 'light'}", full_page=True)

        cause = history_page.page.locator("section.cause")
        text = await cause.inner_text()
        assert "Failure rate by endpoint" in text
        assert "POST:/reviews" in text
        assert "stable 0 of 1 440 calls failed" in text
        assert await cause.locator("rect.cause-canary").count() == 2
        assert await cause.locator("rect.cause-stable").count() == 1  # no bar for no failure
        before_charts = "a => a.compareDocumentPosition(document.querySelector('.charts')) & 4"
        assert await cause.evaluate(before_charts) == 4
        overflow = await history_page.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0
        assert history_page.browser_errors == []


async def test_long_and_hostile_names_of_endpoints_stay_text_inside_the_page(chromium: Browser) -> None:
    clock = ManualClock(NOON)
    history = History(10, clock)
    names = ["/" + "a" * 253, '<script>alert(1)</script>"><img src=x onerror=alert(2)>', "\u202e/evil"]
    canary = {name: Traffic(1_000_000, 500_000 - at) for at, name in enumerate(names)}
    details = MeasurementDetails(backend="prod")
    details.cause = Cause(rank_endpoints(Contribution.FAILURES, canary, Traffic(10**7, 10**7), service_wide=True))
    history.add(build_event(phase=Phase.FAILED, message="bad", details=details))
    async with open_history_page(chromium, history, clock, viewport=NARROW) as history_page:
        await history_page.open()
        await history_page.page.locator("details.entry > summary").click()
        await history_page.take_screenshot("cause-hostile", full_page=True)
        text = await history_page.page.locator("section.cause").inner_text()
        assert "<script>alert(1)</script>" in text
        assert "\u202e" not in text
        assert "calls of all instances of the service" in text
        overflow = await history_page.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0
        assert history_page.browser_errors == []
