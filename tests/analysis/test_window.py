"""Tests of windows: whole closed buckets of exact length in every time zone, also across clock changes."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.window import (
    argo_window,
    closed_window,
    first_bucket_closes_at,
    next_bucket_closes_at,
)
from skywalking_provider.model import Window
from skywalking_provider.oap.api.request import duration_variable
from skywalking_provider.oap.api.server_time import parse_zone

MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
ZONES = st.sampled_from(
    [
        UTC,
        *(timezone(timedelta(minutes=minutes)) for minutes in (480, 330, 345, -210, 765, -720, 840)),
        *(ZoneInfo(name) for name in ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu")),
    ]
)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
LENGTHS = st.integers(1, 120).map(lambda minutes: minutes * MINUTE)
SETTLES = st.integers(0, 300).map(lambda seconds: timedelta(seconds=seconds))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def clock_was_put_back(window: Window) -> bool:
    """Return whether the clock was put back near the window. There, OAP stores two hours in the same buckets."""
    hour_before = (window.start.astimezone(UTC) - timedelta(hours=3)).astimezone(window.start.tzinfo)
    return hour_before.utcoffset() > window.end.utcoffset()


@given(st.integers(-600, 600), st.integers(1, 60), st.sampled_from(["2026-03-29 01:00", "2026-10-25 01:00"]))
def test_closed_window_around_clock_change_has_times_that_oap_accepts(minutes: int, length: int, change: str) -> None:
    now = (utc(change) + minutes * MINUTE).astimezone(ZoneInfo("Europe/Berlin"))

    window = closed_window(length * MINUTE, timedelta(seconds=60), now, now)

    duration = duration_variable(window)
    assert duration["start"] <= duration["end"]
    assert window.buckets <= length
    exists = window.start.astimezone(UTC).astimezone(window.start.tzinfo)
    assert exists.replace(tzinfo=None) == window.start.replace(tzinfo=None)


def test_closed_window_excludes_unfinished_and_unsettled_minutes() -> None:
    now = utc("2026-11-24 09:26:40")

    window = closed_window(3 * MINUTE, timedelta(seconds=60), now, now)

    assert (window.start, window.end) == (utc("2026-11-24 09:22"), utc("2026-11-24 09:25"))
    assert duration_variable(window) == {"start": "2026-11-24 0922", "end": "2026-11-24 0924", "step": "MINUTE"}


def test_closed_window_includes_bucket_once_settled() -> None:
    settle = timedelta(seconds=60)

    before = closed_window(MINUTE, settle, utc("2026-11-24 09:25:59"), utc("2026-11-24 09:25:59"))
    after = closed_window(MINUTE, settle, utc("2026-11-24 09:26:00"), utc("2026-11-24 09:26:00"))

    assert before.end == utc("2026-11-24 09:24")
    assert after.end == utc("2026-11-24 09:25")


def test_closed_window_of_waiting_measurement_grows() -> None:
    settle = timedelta(seconds=60)

    window = closed_window(3 * MINUTE, settle, utc("2026-11-24 09:26:00"), utc("2026-11-24 09:28:30"))

    assert (window.start, window.end) == (utc("2026-11-24 09:22"), utc("2026-11-24 09:27"))


@given(INSTANTS, ZONES, LENGTHS, SETTLES)
def test_closed_window_has_exact_length_and_no_open_bucket_in_any_zone(
    instant: datetime, zone: timezone, length: timedelta, settle: timedelta
) -> None:
    now = instant.astimezone(zone)

    window = closed_window(length, settle, now, now)

    assert window.end.astimezone(UTC) - window.start.astimezone(UTC) == length or clock_was_put_back(window)
    assert timedelta(0) <= instant - settle - window.end.astimezone(UTC) < MINUTE
    assert window.start.tzinfo is zone


@given(INSTANTS, ZONES, LENGTHS, SETTLES, st.integers(0, 3600))
def test_closed_window_later_never_loses_bucket_and_never_has_open_one(
    instant: datetime, zone: timezone, length: timedelta, settle: timedelta, waited: int
) -> None:
    started, now = instant.astimezone(zone), (instant + timedelta(seconds=waited)).astimezone(zone)

    first, later = closed_window(length, settle, started, started), closed_window(length, settle, started, now)

    assert later.end.astimezone(UTC) >= first.end.astimezone(UTC)
    assert later.start.astimezone(UTC) == first.start.astimezone(UTC) or clock_was_put_back(later)
    assert later.end.astimezone(UTC) + settle <= now.astimezone(UTC)


@given(INSTANTS, ZONES, SETTLES)
def test_next_bucket_closes_at_first_instant_with_another_window(
    instant: datetime, zone: timezone, settle: timedelta
) -> None:
    now = instant.astimezone(zone)

    change = next_bucket_closes_at(settle, now)

    assert timedelta(0) < change - now.astimezone(UTC) <= MINUTE
    assert closed_window(MINUTE, settle, now, change).end.astimezone(UTC) == (
        closed_window(MINUTE, settle, now, now).end.astimezone(UTC) + MINUTE
    )
    just_before = change - timedelta(microseconds=1)
    assert closed_window(MINUTE, settle, now, just_before).end.astimezone(UTC) == (
        closed_window(MINUTE, settle, now, now).end.astimezone(UTC)
    )


def test_closed_window_never_exceeds_bucket_limit_of_oap() -> None:
    start = utc("2026-11-24 00:00")

    window = closed_window(499 * MINUTE, timedelta(0), start, start + timedelta(hours=2))

    assert window.buckets == 500
    assert window.end == start + timedelta(hours=2)


def test_argo_window_includes_unfinished_minute() -> None:
    window = argo_window(3 * MINUTE, utc("2026-11-24 09:26:40"))

    assert duration_variable(window) == {"start": "2026-11-24 0923", "end": "2026-11-24 0926", "step": "MINUTE"}


@pytest.mark.parametrize(("zone", "start"), [("+0545", "2026-11-24 1507"), ("-0330", "2026-11-24 0552")])
def test_duration_variable_is_in_oap_zone(zone: str, start: str) -> None:
    now = utc("2026-11-24 09:26:40").astimezone(parse_zone(zone))

    assert duration_variable(closed_window(3 * MINUTE, 60 * timedelta(seconds=1), now, now))["start"] == start


@given(INSTANTS, ZONES, LENGTHS, SETTLES, st.integers(-7200, 7200), st.integers(0, 600))
def test_window_that_starts_at_an_instant_has_only_later_buckets(
    instant: datetime, zone: timezone, length: timedelta, settle: timedelta, seconds: int, waited: int
) -> None:
    started, not_before = instant.astimezone(zone), (instant + timedelta(seconds=seconds)).astimezone(zone)
    now = (instant + timedelta(seconds=waited)).astimezone(zone)

    window = closed_window(length, settle, started, now, not_before)

    whole = closed_window(length, settle, started, now)
    if clock_was_put_back(whole) or clock_was_put_back(window):
        return
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    assert start >= max(whole.start.astimezone(UTC), not_before.astimezone(UTC))
    assert start - not_before.astimezone(UTC) < MINUTE or start == whole.start.astimezone(UTC)
    assert end == max(start, whole.end.astimezone(UTC))
    assert (start.second, start.microsecond, window.start.tzinfo) == (0, 0, zone)


@given(INSTANTS, ZONES, SETTLES)
def test_first_bucket_closes_at_the_first_instant_with_a_bucket(
    instant: datetime, zone: timezone, settle: timedelta
) -> None:
    bucket_start = instant.astimezone(zone)

    closes = first_bucket_closes_at(bucket_start, settle)

    assert closes.tzinfo is UTC
    assert timedelta(0) <= closes - instant - settle - MINUTE < MINUTE
    window = closed_window(MINUTE, settle, closes, closes, bucket_start)
    assert (window.start >= bucket_start, window.buckets) == (True, 1)
    assert closed_window(MINUTE, settle, closes - MICROSECOND, closes - MICROSECOND, bucket_start).buckets == 0


@given(INSTANTS, ZONES, st.timedeltas(timedelta(0), timedelta(hours=9)))
def test_argo_window_ends_with_the_unfinished_minute_in_any_zone(
    instant: datetime, zone: timezone, length: timedelta
) -> None:
    window = argo_window(length, instant.astimezone(zone))

    assert timedelta(0) < window.end.astimezone(UTC) - instant <= MINUTE
    assert timedelta(0) <= instant - length - window.start.astimezone(UTC) < MINUTE
    assert window.start.tzinfo is window.end.tzinfo is zone


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        # At 01:00 UTC Berlin's clock was put back from 03:00 to 02:00.
        ("2026-10-25 00:50", "2026-10-25 00:30", "2026-10-25 00:50"),
        ("2026-10-25 01:00", "2026-10-25 00:40", "2026-10-25 01:00"),
        ("2026-10-25 01:10", "2026-10-25 01:00", "2026-10-25 01:10"),
        ("2026-10-25 01:20", "2026-10-25 01:00", "2026-10-25 01:20"),
        ("2026-10-25 01:30", "2026-10-25 01:10", "2026-10-25 01:30"),
        ("2026-10-25 01:59", "2026-10-25 01:39", "2026-10-25 01:59"),
    ],
)
def test_window_across_the_repeated_hour_starts_at_the_change_if_its_end_would_be_before_its_start(
    now: str, start: str, end: str
) -> None:
    instant = utc(now).astimezone(BERLIN)

    window = closed_window(20 * MINUTE, timedelta(0), instant, instant)

    assert (window.start.astimezone(UTC), window.end.astimezone(UTC)) == (utc(start), utc(end))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-10-25 00:30", "2026-10-25 01:20", "2026-10-25 01:00"),
        ("2026-10-25 00:30", "2026-10-25 01:01", "2026-10-25 01:00"),
        ("2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 00:30"),
        ("2026-10-25 01:00", "2026-10-25 01:20", "2026-10-25 01:00"),
        ("2026-10-25 00:30", "2026-10-25 05:00", "2026-10-25 01:00"),
        ("2026-03-29 00:30", "2026-03-29 01:20", "2026-03-29 00:30"),
    ],
)
def test_window_begins_at_the_change_if_the_clock_was_put_back(start: str, end: str, expected: str) -> None:
    now = utc(end).astimezone(BERLIN)

    window = closed_window(utc(end) - utc(start), timedelta(0), now, now)

    assert (window.start, window.end) == (utc(expected).astimezone(BERLIN), now)


def test_window_begins_at_the_change_to_the_zone_of_utc() -> None:
    now = utc("2026-10-25 01:20").astimezone(ZoneInfo("Europe/London"))

    assert closed_window(50 * MINUTE, timedelta(0), now, now).start.astimezone(UTC) == utc("2026-10-25 01:00")


def test_bucket_after_a_clock_change_starts_at_its_own_local_time() -> None:
    window = Window(utc("2026-03-29 00:58").astimezone(BERLIN), utc("2026-03-29 01:02").astimezone(BERLIN))

    starts = [window.bucket_start(at).strftime("%H:%M") for at in range(window.buckets)]

    assert starts == ["01:58", "01:59", "03:00", "03:01"]
