"""Tests of windows: whole closed buckets of exact length in every time zone, also across clock changes."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.window import argo_window, closed_window, next_bucket_closes_at
from skywalking_provider.model import Window
from skywalking_provider.oap.api.request import duration_variable
from skywalking_provider.oap.api.server_time import parse_zone

MINUTE = timedelta(minutes=1)
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
