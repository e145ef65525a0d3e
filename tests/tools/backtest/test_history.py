"""Tests of the chunks of a history: each has minutes of one day of the OAP, and they share a grid."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.tools.backtest.history import CHUNK, History

OFFSETS = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(quarters * timedelta(minutes=15)))
MINUTES = st.integers(0, 10 * 24 * 60).map(lambda at: datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=at))


@given(start=MINUTES, length=st.integers(1, 4 * 24 * 60), zone=OFFSETS)
def test_no_chunk_crosses_midnight_of_the_oap(start: datetime, length: int, zone: timezone) -> None:
    """An OAP with a JDBC storage returns nothing of the second day of such a window."""
    history = History(start, start + timedelta(minutes=length), zone)
    chunks = history.chunks

    for chunk in chunks:
        window = chunk.window(zone)
        assert window.start.date() == (window.end - timedelta(minutes=1)).date()
        assert window.start.minute == 0
    assert chunks[0].start <= history.start < chunks[0].end
    assert chunks[-1].end == history.end
    assert all(before.end == after.start for before, after in pairwise(chunks))


@given(start=MINUTES, later=st.integers(1, 2000), zone=OFFSETS)
def test_chunks_of_a_later_history_are_on_the_same_grid(start: datetime, later: int, zone: timezone) -> None:
    end = start + timedelta(days=4)
    first, second = History(start, end, zone), History(start + timedelta(minutes=later), end, zone)

    assert set(second.chunks) <= set(first.chunks)
    assert all(chunk.end - chunk.start == CHUNK for chunk in first.chunks[:-1])
