"""Streaming of the page: it is rendered in chunks, and other tasks run in between."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import jinja2
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


def build_details(count: int, minutes: int) -> MeasurementDetails:
    window = Window(NOON, NOON + timedelta(minutes=minutes))
    chart_series = tuple(Series(f"p{at}", (12.5,) * minutes) for at in range(count))
    return MeasurementDetails(backend="prod", window=window, sample=Sample({}, "", (), chart_series=chart_series))


def build_history(events: int, details: MeasurementDetails) -> History:
    history = History(5000, ManualClock(NOON))
    for at in range(events):
        history.add(build_event(NOON + timedelta(seconds=at), details=details))
    return history


class ObservedView(HistoryView):
    """View that records in which iteration of the event loop each chunk is rendered."""

    def __init__(self) -> None:
        super().__init__(["prod"], 5000)
        self.iteration = 0
        self.rendered_at: list[int] = []
        self.closed = asyncio.Event()

    async def count(self) -> None:
        while True:
            self.iteration += 1
            await asyncio.sleep(0)

    def render(self, history: History, criteria: HistoryFilter, now: datetime) -> Iterator[str]:
        try:
            for chunk in super().render(history, criteria, now):
                self.rendered_at.append(self.iteration)
                yield chunk
        finally:
            self.closed.set()


@asynccontextmanager
async def serve_page(view: HistoryView, history: History) -> AsyncIterator[TestClient]:
    app = build_history_app(PageConfig(), history, view, ManualClock(NOON))
    async with TestClient(TestServer(app)) as client:
        yield client


def test_render_compiles_no_template(monkeypatch: pytest.MonkeyPatch) -> None:
    view = HistoryView(["prod"], 500)

    monkeypatch.delattr(jinja2.Environment, "compile")

    assert "".join(view.render(build_history(1, build_details(1, 5)), HistoryFilter(), NOON)).endswith("</html>")


async def test_render_lets_other_tasks_run_between_chunks() -> None:
    view = ObservedView()
    counting = asyncio.create_task(view.count())
    async with serve_page(view, build_history(300, build_details(1, 5))) as client:
        text = await (await client.get("/?all=1")).text()
    counting.cancel()

    assert text.count('<details class="entry') == 300
    assert len(view.rendered_at) > 20
    assert len(set(view.rendered_at)) == len(view.rendered_at)


@pytest.fixture
def long_history() -> History:
    return build_history(3000, build_details(1, 5))


@pytest.fixture
def rendered_chunks(long_history: History) -> int:
    return len(list(HistoryView(["prod"], 1).render(long_history, HistoryFilter(all=True), NOON)))


async def test_render_stops_when_the_client_disconnects(long_history: History, rendered_chunks: int) -> None:
    view = ObservedView()
    async with serve_page(view, long_history) as client:
        response = await client.get("/?all=1")
        response.close()
        await view.closed.wait()

        assert (await client.get("/static/icon.svg")).status == 200
    assert len(view.rendered_at) < rendered_chunks


def test_render_huge_entry_is_split_at_charts() -> None:
    chunks = list(HistoryView(["prod"], 1).render(build_history(2, build_details(12, 500)), HistoryFilter(), NOON))

    assert max(map(len, chunks)) <= CHUNK_CHARACTERS + ONE_CHART
    assert sum(map(len, chunks)) > 10 * ONE_CHART


def test_render_new_measurement_does_not_appear_in_a_started_page() -> None:
    history = build_history(100, build_details(1, 5))
    chunks = HistoryView(["prod"], 1).render(history, HistoryFilter(all=True), NOON)

    text = next(chunks)
    history.add(build_event(name="later"))
    text += "".join(chunks)

    assert "later" not in text
    assert text.count('<details class="entry') == 100
    assert "100 measurements" in text


async def test_head_request_returns_headers_only() -> None:
    async with serve_page(HistoryView(["prod"], 1), build_history(1, build_details(1, 5))) as client:
        response = await client.head("/")

        assert (response.status, response.content_type, response.charset) == (200, "text/html", "utf-8")
        assert (await client.get("/")).status == 200


@pytest.mark.parametrize("path", ["/?name=%ff%fe", "/?name=%ed%a0%80&metric=%00", "/?phase=%ff"])
async def test_filter_with_invalid_text_is_served(path: str) -> None:
    async with serve_page(HistoryView(["prod"], 1), build_history(1, build_details(1, 5))) as client:
        assert (await (await client.get(path)).text()).endswith("</html>")


@pytest.mark.parametrize("value", [r'"\ud800"', r'{"a": "\u202e\u0007"}'])
async def test_render_unprintable_value_is_replaced(value: str) -> None:
    history = History(1, ManualClock(NOON))
    history.add(build_event(value=value))
    async with serve_page(HistoryView(["prod"], 1), history) as client:
        text = await (await client.get("/")).text()

    assert text.endswith("</html>")
    assert "\N{REPLACEMENT CHARACTER}" in text
    assert not {"\u202e", "\u0007"} & set(text)
