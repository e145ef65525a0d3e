"""The clock and the time zone of the mock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.mock_oap.clock import MockClock, parse_zone
from skywalking_provider.mock_oap.duration import parse_duration
from skywalking_provider.mock_oap.graphql_errors import DataFetchingError
from skywalking_provider.mock_oap.versions import select_version
from tests.mock_oap.client import fetch_buckets, minute_duration, post

NOON = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["+0000", "+0800", "+0530", "+0545", "-0330"])
async def test_get_time_info_in_a_zone_returns_its_offset_and_windows_are_local(zone: str):
    async with MockOap("healthy-canary", timezone=zone, clock=ManualClock(NOON)) as oap:
        info = (await post(oap, "{ getTimeInfo { timezone currentTimestamp } }"))["data"]["getTimeInfo"]
        local = NOON.astimezone(parse_zone(zone))
        assert info == {"timezone": zone, "currentTimestamp": NOON.timestamp() * 1000}
        # three complete minutes, the current one, and a future one
        values = await fetch_buckets(oap, "service_cpm", minute_duration(local - timedelta(minutes=3), 5))
        assert values[:3] == [60, 60, 60]
        assert values[4] is None


async def test_get_time_info_iana_zone_returns_the_offset_of_the_day():
    async with MockOap(timezone="Europe/Berlin", clock=ManualClock(NOON)) as oap:
        assert (await post(oap, "{ getTimeInfo { timezone } }"))["data"]["getTimeInfo"]["timezone"] == "+0100"


async def test_duration_in_utc_reads_no_data_in_another_zone():
    async with MockOap(timezone="+0800", clock=ManualClock(NOON)) as oap:
        assert (
            await fetch_buckets(oap, "service_apdex", minute_duration(NOON - timedelta(days=1, minutes=5), 3))
            == [None] * 3
        )


async def test_current_minute_fills_with_each_flush():
    clock = ManualClock(NOON.replace(second=0))
    async with MockOap("healthy-canary", clock=clock) as oap:
        window = minute_duration(NOON, 1)
        values = []
        for _ in range(6):
            values.append((await fetch_buckets(oap, "service_cpm", window))[0])
            clock.advance(15)
        # the store is flushed every 25 s since 1970: the first seconds of a minute have no data
        assert values[0] is None
        present = [value for value in values if value is not None]
        assert present == sorted(present)
        assert present[-1] == 60
        assert any(0 < value < 60 for value in present)


def test_clock_with_speed_60_passes_a_minute_per_second():
    source = ManualClock(NOON)
    clock = MockClock(source, UTC, speed=60)
    source.advance(1)
    assert clock.now() == NOON + timedelta(minutes=1)
    assert clock.start == NOON.replace(second=0)


def test_clock_without_zone_or_speed_is_rejected():
    with pytest.raises(ValueError, match="aware"):
        MockClock(lambda: NOON.replace(tzinfo=None), UTC)
    with pytest.raises(ValueError, match="above 0"):
        MockClock(ManualClock(NOON), UTC, speed=0)


def test_parse_zone_unknown_zone_is_rejected_with_a_hint():
    with pytest.raises(ValueError, match=r"'Moon/Crater'.*\+0545"):
        parse_zone("Moon/Crater")


BERLIN = ZoneInfo("Europe/Berlin")
MODERN = select_version("10.1.0")


def test_parse_duration_time_in_skipped_hour_is_rejected():
    with pytest.raises(DataFetchingError, match="skips this time when daylight saving time begins"):
        parse_duration({"start": "2026-03-29 0230", "end": "2026-03-29 0330", "step": "MINUTE"}, BERLIN, MODERN)


def test_parse_duration_repeated_hour_has_its_buckets_twice():
    during = parse_duration({"start": "2026-10-25 0159", "end": "2026-10-25 0300", "step": "MINUTE"}, BERLIN, MODERN)
    labels = [bucket.label for bucket in during.buckets]
    assert len(labels) == 1 + 60 + 60 + 1
    assert len(set(labels)) == 62
    assert len(list(during.buckets[1].minutes())) == 2


@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 -- local times
    count=st.integers(2, 501),
    offset=st.integers(-12 * 4, 14 * 4),
)
def test_parse_duration_fixed_zone_has_one_bucket_per_minute(start: datetime, count: int, offset: int):
    zone = parse_zone(f"{'-' if offset < 0 else '+'}{abs(offset) // 4:02}{abs(offset) % 4 * 15:02}")
    during = parse_duration(minute_duration(start, count), zone, MODERN)
    assert len(during.buckets) == count
    assert during.buckets[-1].millis - during.buckets[0].millis == (count - 1) * 60_000
    assert all(len(list(bucket.minutes())) == 1 for bucket in during.buckets[:2])
