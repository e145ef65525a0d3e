"""Instants that other programs name: which are possible, and that arithmetic on them stays in Python's range."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.support.instants import EARLIEST, LATEST, format_time, instant_from_epoch, parse_instant

POSSIBLE = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
LAST_SECOND = int(LATEST.timestamp()) - 1


@given(POSSIBLE, OFFSETS)
def test_instant_in_any_zone_is_parsed_to_the_same_instant(instant: datetime, zone: timezone) -> None:
    parsed = parse_instant(instant.astimezone(zone).isoformat())

    assert parsed == instant
    assert parsed is not None
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", EARLIEST),
        ("1970-01-01T00:59:59.999999+01:00", None),
        ("2199-12-31T23:59:59.999999Z", LATEST - timedelta(microseconds=1)),
        ("2200-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("2026-11-24T09:00:00", None),
        ("2026-11-24", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_text_is_an_instant_only_with_an_offset_and_between_the_bounds(text: str, instant: datetime | None) -> None:
    assert parse_instant(text) == instant


@given(st.integers(0, LAST_SECOND), st.integers(0, 10**9 - 1))
def test_instant_from_epoch_counts_seconds_and_whole_microseconds(seconds: int, nanoseconds: int) -> None:
    instant = instant_from_epoch(seconds, nanoseconds)

    assert instant is not None
    assert instant - EARLIEST == timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    assert EARLIEST <= instant < LATEST


@pytest.mark.parametrize(
    ("seconds", "nanoseconds", "possible"),
    [
        (0, 0, True),
        (-1, 0, False),
        (LAST_SECOND, 10**9 - 1, True),
        (LAST_SECOND + 1, 0, False),
        (0, -1, False),
        (0, 10**9, False),
        (2**63, 0, False),
    ],
)
def test_seconds_and_nanoseconds_out_of_range_are_not_an_instant(
    seconds: int, nanoseconds: int, *, possible: bool
) -> None:
    assert (instant_from_epoch(seconds, nanoseconds) is not None) == possible


@pytest.mark.parametrize(
    ("now", "zone", "text"),
    [
        ("2026-11-24T10:00:00Z", UTC, "09:00:30"),
        ("2026-11-25T08:00:00Z", UTC, "2026-11-24 09:00:30"),
        ("2026-11-23T23:59:59Z", UTC, "2026-11-24 09:00:30"),
        # The day is that of the instant's zone, where 20:00 UTC is the next day.
        ("2026-11-24T20:00:00Z", timezone(timedelta(hours=8)), "2026-11-24 17:00:30"),
        ("2026-11-23T20:00:00Z", timezone(timedelta(hours=8)), "17:00:30"),
    ],
)
def test_time_is_written_with_its_date_unless_it_is_todays(now: str, zone: timezone, text: str) -> None:
    instant = datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC).astimezone(zone)

    assert format_time(instant, datetime.fromisoformat(now)) == text
    assert format_time(instant, datetime.fromisoformat(now), "%H:%M %z") == f"{text[:-3]} {instant:%z}"
