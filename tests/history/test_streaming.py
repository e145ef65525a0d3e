"""The page while measurements are made: rendered in pieces, between which the service does its work."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from aiohttp.test_utils import TestClient, TestServer

from skywalking_provider.analysis.events import MeasurementDetails
from skywalking_provider.config import PageConfig
from skywalking_provider.history.filter import HistoryFilter
from skywalking_provider.history.http import build_history_app
from skywalking_provider.history.store import History
from skywalking_provider.history.view import CHUNK_CHARACTERS, HistoryView
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.model import Window
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from tests.history.harness import NOON, build_event

ONE_CHART = 128 * 1024  # of 500 minutes


def with_series(count: int, minutes: int) -> MeasurementDetails:
    window = Window(NOON, NOON + timedelta(minutes=minutes))
    shown = tuple(Series(f"p{at}", (12.5,) * minutes) for at in range(count))
    return MeasurementDetails(backend="prod", window=window, sample=Sample({}, "", (), chart_series=shown))


def history(answers: int, trail: MeasurementDetails) -> History:
    kept = History(5000, ManualClock(NOON))
    for at in range(answers):
        kept.add(build_event(NOON + timedelta(seconds=at), details=trail))
    return kept


class Watched(HistoryView):
    """Counts the turns of the event loop, and those at which it was asked for a piece."""

    def __init__(self) -> None:
        super().__init__(["prod"], 5000)
        self.turn = 0
        self.asked_at: list[int] = []
        self.left = asyncio.Event()

    async def count(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    def render(self, history: History, wanted: HistoryFilter, now: datetime) -> Iterator[str]:
        try:
            for piece in super().render(history, wanted, now):
                self.asked_at.append(self.turn)
                yield piece
        finally:
            self.left.set()


@asynccontextmanager
async def serving(view: HistoryView, kept: History) -> AsyncIterator[TestClient]:
    app = build_history_app(PageConfig(), kept, view, ManualClock(NOON))
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_the_service_goes_on_between_the_pieces() -> None:
    view = Watched()
    counting = asyncio.create_task(view.count())
    async with serving(view, history(300, with_series(1, 5))) as client:
        text = await (await client.get("/?all=1")).text()
    counting.cancel()

    assert text.count('<details class="entry') == 300
    assert len(view.asked_at) > 20
    assert len(set(view.asked_at)) == len(view.asked_at)


async def test_who_leaves_is_rendered_nothing_more() -> None:
    view, kept = Watched(), history(3000, with_series(1, 5))
    async with serving(view, kept) as client:
        answer = await client.get("/?all=1")
        answer.close()
        await view.left.wait()

        assert (await client.get("/static/icon.svg")).status == 200
    assert len(view.asked_at) < len(list(HistoryView(["prod"], 1).render(kept, HistoryFilter(all=True), NOON)))


def test_no_piece_is_larger_than_one_chart_however_large_the_measurement_is() -> None:
    pieces = list(HistoryView(["prod"], 1).render(history(2, with_series(12, 500)), HistoryFilter(), NOON))

    assert max(map(len, pieces)) <= CHUNK_CHARACTERS + ONE_CHART
    assert sum(map(len, pieces)) > 10 * ONE_CHART


async def test_what_comes_while_it_is_rendered_is_for_the_next_time() -> None:
    kept = history(100, with_series(1, 5))
    pieces = HistoryView(["prod"], 1).render(kept, HistoryFilter(all=True), NOON)

    text = next(pieces)
    kept.add(build_event(name="later"))
    text += "".join(pieces)

    assert "later" not in text
    assert text.count('<details class="entry') == 100
    assert "100 measurements" in text


async def test_of_the_page_only_the_head_can_be_asked_for() -> None:
    async with serving(HistoryView(["prod"], 1), history(1, with_series(1, 5))) as client:
        answer = await client.head("/")

        assert (answer.status, answer.content_type, answer.charset) == (200, "text/html", "utf-8")
        assert (await client.get("/")).status == 200


@pytest.mark.parametrize("path", ["/?name=%ff%fe", "/?name=%ed%a0%80&metric=%00", "/?phase=%ff"])
async def test_an_address_that_is_no_text_is_a_filter_like_any(path: str) -> None:
    async with serving(HistoryView(["prod"], 1), history(1, with_series(1, 5))) as client:
        assert (await (await client.get(path)).text()).endswith("</html>")


@pytest.mark.parametrize("value", [r'"\ud800"', r'{"a": "\u202e\u0007"}'])
async def test_a_value_that_cannot_be_written_is_no_end_of_the_page(value: str) -> None:
    kept = History(1, ManualClock(NOON))
    kept.add(build_event(value=value))
    async with serving(HistoryView(["prod"], 1), kept) as client:
        text = await (await client.get("/")).text()

    assert text.endswith("</html>")
    assert "\N{REPLACEMENT CHARACTER}" in text
    assert not {"\u202e", "\u0007"} & set(text)
