"""Judged measurements on the history page: sides with the tolerated limit, evidence, and the finding in words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser

from skywalking_provider.analysis.judgement_view import MAX_VIEW_MINUTES
from skywalking_provider.history.entry import HistoryEntry
from skywalking_provider.history.filter import HistoryFilter
from skywalking_provider.history.judgement_chart import HEIGHT, LineChart, build_evidence_chart, build_value_chart
from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock, Scenario
from skywalking_provider.model import Phase
from tests.analysis.judged import CANARY_HASH, COMPARE, OBJECTIVE, STABLE_HASH, both, calls, metric, pod, rollout
from tests.history.browser import NARROW, open_history_page
from tests.history.harness import NOON, build_run, open_history_harness

pytestmark = pytest.mark.asyncio(loop_scope="module")
LATE_FAULT = rollout(
    pod(CANARY_HASH, calls(120, 1, until=8), calls(120, 7, **{"from": 8})), pod(STABLE_HASH, calls(1080, 9))
)


@asynccontextmanager
async def history_of(
    scenario: Scenario, block: dict[str, Any] = COMPARE, minutes: int = 14
) -> AsyncIterator[tuple[History, ManualClock]]:
    """Yield the history with one measurement of a block, some minutes after the start of its run."""
    clock = ManualClock(NOON)
    history = History(10, clock)
    async with open_history_harness(history.add, clock, scenario) as harness:
        clock.set(NOON + timedelta(minutes=minutes))
        await harness.measure(metric(block), replace(build_run("reviews"), started_at=NOON))
        yield history, clock


async def entry_of(scenario: Scenario, block: dict[str, Any] = COMPARE, minutes: int = 14) -> HistoryEntry:
    async with history_of(scenario, block, minutes) as (history, _):
        (entry,) = history.find(HistoryFilter(), 10)
        return entry


def names(chart: LineChart) -> list[str]:
    return [line.label for line in chart.lines]


async def test_comparison_keeps_both_sides_with_the_limit_of_each_minute() -> None:
    entry = await entry_of(LATE_FAULT)

    assert entry.phase is Phase.FAILED
    assert entry.judgement is not None
    last = entry.judgement.minutes[-1]
    assert (last.canary, last.stable) == (pytest.approx(1 - 7 / 120), pytest.approx(1 - 9 / 1080))
    assert last.tolerated == pytest.approx(1 - (0.001 + 1.25 * 9 / 1080))
    assert last.worse is not None
    assert last.worse >= 1000
    assert entry.judgement.explanation == (
        "The canary is worse than stable, by more than is tolerated. A canary in order looks like this in fewer than"
        " 1 of 1 000 runs."
    )
    assert entry.summary.startswith("worse: success-rate 0.9")
    standard = (
        f"stable ({STABLE_HASH}), tolerated 1.25 × stable's failure rate + 0.001,"
        " harmful 3 × stable's failure rate + 0.01"
    )
    assert ("Judged against", standard) in entry.facts


async def test_objective_has_its_line_and_no_stable() -> None:
    entry = await entry_of(both(calls(120, 1), calls(1080, 9)), OBJECTIVE)

    assert entry.judgement is not None
    assert {one.tolerated for one in entry.judgement.minutes} == {0.99}
    assert names(build_value_chart(entry.judgement)) == ["objective", "canary"]
    assert entry.judgement.explanation == (
        "The canary is fine. A harmful one (0.97) looks this good in fewer than 1 of 20 runs."
    )


async def test_thin_traffic_is_explained_with_the_missing_minutes() -> None:
    entry = await entry_of(both(calls(12), calls(288, 2)), minutes=4)

    assert (entry.phase, entry.reason) == (Phase.RUNNING, "UNDECIDED")
    assert entry.judgement is not None
    assert entry.judgement.explanation == (
        "Nothing is found yet. There are too few calls. About 8 more minutes are needed at this traffic."
    )


async def test_latency_is_drawn_in_milliseconds_from_zero() -> None:
    slow = both(calls(120, latencies=[200]), calls(1080, latencies=[100]))
    entry = await entry_of(slow, COMPARE | {"sli": "latency"})

    assert entry.judgement is not None
    last = entry.judgement.minutes[-1]
    assert (last.canary, last.stable, last.tolerated) == (200, 100, 135)
    chart = build_value_chart(entry.judgement)
    assert "canary 200 ms of 120 calls · stable 100 ms of 1080 calls · tolerated 135 ms" in chart.slots[-1].text


async def test_minute_without_calls_is_a_gap() -> None:
    gap = rollout(pod(CANARY_HASH, calls(120, 1, idleMinutes=[5])), pod(STABLE_HASH, calls(1080, 9)))
    entry = await entry_of(gap)

    assert entry.judgement is not None
    canary = build_value_chart(entry.judgement).lines[-1]
    assert canary.path.count("M") == 2
    evidence = build_evidence_chart(entry.judgement)
    assert evidence.slots[4].text == "12:05 · does not count"


async def test_evidence_is_on_a_logarithmic_axis_with_what_is_needed() -> None:
    entry = await entry_of(LATE_FAULT)
    assert entry.judgement is not None
    chart = build_evidence_chart(entry.judgement)

    worse, fine = chart.guides
    assert (worse.label, fine.label) == ("worse from 1 000", "fine from 20")
    assert 0 < worse.y < fine.y < HEIGHT
    end = float(chart.lines[-1].path.split()[-1])
    assert end <= worse.y  # enough evidence is above the line


async def test_long_run_keeps_a_bounded_number_of_minutes() -> None:
    entry = await entry_of(both(calls(120, 1), calls(1080, 9)), minutes=200)

    assert entry.judgement is not None
    assert len(entry.judgement.minutes) == MAX_VIEW_MINUTES
    assert entry.window is not None
    assert entry.judgement.more_minutes == entry.window.buckets - MAX_VIEW_MINUTES
    assert entry.series == ()
    assert entry.size < 64 * 1024


@pytest.mark.parametrize(
    "options", [{}, {"color_scheme": "dark"}, {"viewport": NARROW}], ids=["light", "dark", "narrow"]
)
async def test_page_draws_both_charts_and_the_finding(chromium: Browser, options: dict[str, Any]) -> None:
    async with (
        history_of(LATE_FAULT) as (history, clock),
        open_history_page(chromium, history, clock, **options) as history_page,
    ):
        await history_page.open()
        await history_page.page.locator("details.entry > summary").click()
        await history_page.take_screenshot(f"judgement-{'-'.join(options) or 'light'}", full_page=True)

        text = await history_page.visible_text()
        assert "The canary is worse than stable, by more than is tolerated." in text
        assert "success-rate by minute" in text
        assert await history_page.page.locator(".charts .line.tolerated").count() == 2  # the line and its legend
        assert await history_page.page.locator(".charts text.guide-label.worse").text_content() == "worse from 1 000"
        overflow = await history_page.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0
        assert history_page.browser_errors == []
