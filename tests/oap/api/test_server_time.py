"""Clock and zone of an OAP: its offset, its limits, and the configured zone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.server_time import (
    ServerClock,
    apply_zone,
    describe_clock_skew,
    fetch_server_clock,
    parse_server_clock,
    parse_zone,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
SKEWS = st.integers(-7_200_000, 7_200_000).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)


def time_info(instant: datetime, zone: str = "+0000") -> dict[str, Any]:
    return {"getTimeInfo": {"timezone": zone, "currentTimestamp": round(instant.timestamp() * 1000)}}


@given(SKEWS)
def test_offset_of_the_clock_is_its_time_minus_the_local_time(skew: timedelta) -> None:
    clock = parse_server_clock(time_info(NOON + skew, "+0800"), NOON)

    assert clock.offset == skew
    assert clock.to_server(NOON) == NOON + skew
    assert clock.to_server(NOON).utcoffset() == timedelta(hours=8)


@given(SKEWS, SKEWS)
def test_local_time_of_a_server_time_is_the_inverse(skew: timedelta, later: timedelta) -> None:
    clock = ServerClock(skew, timezone(timedelta(hours=-3, minutes=-30)))

    assert clock.to_local(clock.to_server(NOON + later)) == NOON + later


@pytest.mark.parametrize(
    ("milliseconds", "valid"),
    [(946_684_799_999, False), (946_684_800_000, True), (7_258_118_399_999, True), (7_258_118_400_000, False)],
)
def test_clock_outside_of_the_years_2000_to_2199_is_invalid(milliseconds: int, valid: bool) -> None:
    data = {"getTimeInfo": {"timezone": "+0000", "currentTimestamp": milliseconds}}
    if valid:
        assert parse_server_clock(data, NOON).to_server(NOON).timestamp() == milliseconds / 1000
        return
    with pytest.raises(ProviderError, match=f"getTimeInfo.currentTimestamp is {milliseconds}") as caught:
        parse_server_clock(data, NOON)
    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID


@given(OFFSETS, st.sampled_from(["", ":"]))
def test_zone_is_an_offset_of_hours_and_minutes(minutes: int, separator: str) -> None:
    hours, rest = divmod(abs(minutes), 60)

    zone = parse_zone(f"{'-' if minutes < 0 else '+'}{hours:02}{separator}{rest:02}")

    assert zone.utcoffset(None) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("+0060", "getTimeInfo.timezone is not an offset: '+0060'"),
        ("0800", "getTimeInfo.timezone is not an offset: '0800'"),
        ("+08000", "getTimeInfo.timezone is not an offset: '+08000'"),
        ("Asia/Shanghai" + 10 * "!", "getTimeInfo.timezone is not an offset: 'Asia/Shanghai!!!!!!!'"),
        ("+2400", "getTimeInfo.timezone is out of range: '+2400'"),
        ("-9959", "getTimeInfo.timezone is out of range: '-9959'"),
    ],
)
def test_zone_of_another_form_is_an_invalid_response(text: str, message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        parse_zone(text)

    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("configured", "now", "effective"),
    [
        (None, NOON, timezone(timedelta(hours=1))),
        (BERLIN, NOON, BERLIN),
        (BERLIN, NOON - timedelta(days=120), timezone(timedelta(hours=1))),  # summer in Berlin
    ],
)
def test_configured_zone_applies_while_its_offset_is_that_of_the_oap(
    configured: tzinfo | None, now: datetime, effective: tzinfo
) -> None:
    clock = ServerClock(timedelta(seconds=5), timezone(timedelta(hours=1)))

    with capture_logs() as log:
        applied = apply_zone(clock, configured, now)

    assert applied == ServerClock(timedelta(seconds=5), effective)
    expected = {
        "event": "configured timezone ignored: its offset is not the OAP's",
        "configured": "Europe/Berlin",
        "offset": "+0100",
        "log_level": "warning",
    }
    assert log == ([expected] if configured and effective is not configured else [])


def test_offset_of_a_zone_is_compared_on_the_clock_of_the_oap() -> None:
    """Two seconds before Berlin's clocks are put back, an OAP that is 5 seconds ahead already has winter time."""
    before_change = datetime(2026, 10, 25, 0, 59, 58, tzinfo=UTC)
    clock = ServerClock(timedelta(seconds=5), timezone(timedelta(hours=1)))

    assert apply_zone(clock, BERLIN, before_change).zone is BERLIN


@given(SKEWS, st.integers(0, 10_000))
async def test_clock_is_compared_with_the_middle_of_its_request(skew: timedelta, milliseconds: int) -> None:
    duration = timedelta(milliseconds=2 * milliseconds)
    requests: list[GraphqlRequest] = []

    async def execute(request: GraphqlRequest) -> dict[str, Any]:
        requests.append(request)
        return time_info(NOON + duration / 2 + skew, "+0100")

    instants: Iterator[datetime] = iter([NOON, NOON + duration, NOON + duration])
    clock = await fetch_server_clock(execute, lambda: next(instants), BERLIN)

    assert clock == ServerClock(skew, BERLIN)
    assert [one.query for one in requests] == ["query { getTimeInfo { timezone currentTimestamp } }"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, ""),
        (59.999, ""),
        (-59.999, ""),
        (60, "1m ahead of the provider's"),
        (-60, "1m behind the provider's"),
        (3_659, "1h ahead of the provider's"),
        (86_399, "23h59m ahead of the provider's"),
        (-86_400, "1d behind the provider's"),
        (86_460, "1d1m ahead of the provider's"),
        (86_459, "1d ahead of the provider's"),
    ],
)
def test_clock_skew_of_a_minute_or_more_is_described_in_whole_minutes(seconds: float, text: str) -> None:
    assert describe_clock_skew(timedelta(seconds=seconds)) == text
