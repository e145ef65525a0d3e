"""Ids of buckets: those of recorded responses are accepted for their own window, and rejected for any other."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, Window
from skywalking_provider.oap.api.bucket_ids import check_local_time_ids, check_millisecond_ids
from skywalking_provider.oap.api.metric_values import SeriesRequest, decode_series

CAPTURES = Path(__file__).parents[2] / "captures"
MINUTE = timedelta(minutes=1)
TIME_TYPES = ("TIME_SERIES_VALUES", "SINGLE_VALUE")
NO_TIMES = ("", "x", "9" * 5000, "-1", "\N{ARABIC-INDIC DIGIT ONE}" * 13, "1795477500000.0", "_" * 10**6)
SHIFTS = (-1440, -60, -1, 1, 60, 1440)


def recorded_ids(version: str) -> Iterator[tuple[str, bool, list[str | None], Window]]:
    """Yield the ids of every series of the recorded responses with its window, and whether it is an expression's."""
    for path in sorted((CAPTURES / version).glob("*.request.json")):
        name = path.name.removesuffix(".request.json")
        try:
            request = json.loads(path.read_text())["body"]
            response = json.loads((path.parent / f"{name}.json").read_text())["data"]
            duration = request["variables"]["duration"]
        except (ValueError, KeyError, TypeError):
            continue
        if not isinstance(response, dict) or duration.get("step") != "MINUTE":
            continue
        start, end = (datetime.strptime(duration[one], "%Y-%m-%d %H%M").replace(tzinfo=UTC) for one in ("start", "end"))
        for mqe, values in find_values(response):
            yield name, mqe, [one.get("id") for one in values], Window(start, end + MINUTE)


def find_values(node: Any, kind: str = "") -> Iterator[tuple[bool, list[Any]]]:
    if isinstance(node, dict):
        kind = node.get("type", kind)
        values = node.get("values")
        if isinstance(values, list) and (not kind or kind in TIME_TYPES):
            yield bool(kind), values
        for child in node.values():
            yield from find_values(child, kind)
    elif isinstance(node, list):
        for child in node:
            yield from find_values(child, kind)


def check(mqe: bool, ids: list[str | None], window: Window) -> None:
    (check_millisecond_ids if mqe else check_local_time_ids)("c0", ids, window)


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
def test_recorded_ids_are_those_of_their_window_and_of_no_other(version: str) -> None:
    compared = 0
    for name, mqe, ids, window in recorded_ids(version):
        check(mqe, ids, window)
        if len([one for one in ids if one]) < window.buckets:
            continue  # an aggregated value has no id, or that of one bucket
        for minutes in SHIFTS:
            shift = timedelta(minutes=minutes)
            with pytest.raises(ProviderError, match="response is not for the requested window: c0 has the bucket"):
                check(mqe, ids, Window(window.start + shift, window.end + shift))
            compared += 1
        assert name
    assert compared > 100


@settings(max_examples=40, deadline=None)
@given(
    first=st.integers(26_000_000, 32_000_000).map(lambda minutes: datetime.fromtimestamp(minutes * 60, UTC)),
    buckets=st.integers(1, 500),
    zone=st.timezones() | st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
    data=st.data(),
)
def test_ids_of_a_window_in_any_zone_are_accepted_and_another_order_is_not(
    first: datetime, buckets: int, zone: tzinfo, data: st.DataObject
) -> None:
    window = Window(first.astimezone(zone), (first + buckets * MINUTE).astimezone(zone))
    instants = [(first + at * MINUTE).astimezone(zone) for at in range(buckets)]
    milliseconds: list[str | None] = [str(int(one.timestamp()) * 1000) for one in instants]
    local: list[str | None] = [f"service_cpm_{one:%Y%m%d%H%M}_Y2Fu.1" for one in instants]

    check_millisecond_ids("c0", milliseconds, window)
    check_local_time_ids("c0", local, window)

    at = data.draw(st.integers(0, buckets - 1))
    check_millisecond_ids("c0", [milliseconds[at]], window)  # a single value
    assume(buckets > 1 and len(set(local)) == buckets and len({one.utcoffset() for one in instants}) == 1)
    for ids, one_check in ((milliseconds, check_millisecond_ids), (local, check_local_time_ids)):
        with pytest.raises(ProviderError) as caught:
            one_check("c0", [*ids[:at], ids[at - 1], *ids[at + 1 :]] if at else [ids[-1], *ids[1:]], window)
        assert caught.value.reason is Reason.OAP_RESPONSE_INVALID


def test_second_pass_of_a_repeated_hour_accepts_the_first_pass_that_oap_returns() -> None:
    zone = ZoneInfo("Europe/Berlin")  # 2026-10-25 01:00 UTC: 03:00 becomes 02:00
    start = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    window = Window(start.astimezone(zone), (start + 3 * MINUTE).astimezone(zone))
    first_pass = [str(int((start + at * MINUTE - timedelta(hours=1)).timestamp()) * 1000) for at in range(3)]

    check_millisecond_ids("e0", first_pass, window)

    with pytest.raises(ProviderError):  # without the zone's name, the offset does not explain it
        check_millisecond_ids("e0", first_pass, Window(start, start + 3 * MINUTE))


@pytest.mark.parametrize("text", NO_TIMES)
def test_ids_that_are_no_times_are_rejected_with_a_short_message(text: str) -> None:
    window = Window(datetime(2026, 11, 23, 23, 45, tzinfo=UTC), datetime(2026, 11, 23, 23, 48, tzinfo=UTC))

    for one_check in (check_millisecond_ids, check_local_time_ids):
        with pytest.raises(ProviderError) as caught:
            one_check("c0", [text], window)
        assert len(str(caught.value)) < 400
        assert "requested were 2026-11-23 23:45 +0000 to 2026-11-23 23:48 +0000" in str(caught.value)


def test_ranking_has_names_for_ids_and_is_not_compared() -> None:
    window = Window(datetime(2026, 11, 23, 23, 45, tzinfo=UTC), datetime(2026, 11, 23, 23, 48, tzinfo=UTC))
    values = [{"id": "checkout", "value": "5"}, {"id": None, "value": "4"}]
    data = {"e0": {"type": "SORTED_LIST", "error": None, "results": [{"metric": None, "values": values}]}}

    request = SeriesRequest("e0", "top_n(service_cpm,2,des)", Entity("a"))
    (series,) = decode_series(data, request, window, mqe=True).series

    assert series.names == ("checkout", "")


def test_ids_that_an_author_did_not_request_are_not_compared() -> None:
    window = Window(datetime(2026, 11, 23, 23, 45, tzinfo=UTC), datetime(2026, 11, 23, 23, 48, tzinfo=UTC))

    check_local_time_ids("c0", [None, None, None], window)
    check_millisecond_ids("e0", [None], window)
