"""Parts of a judged window: where it is split, and how the minutes of both sides are put together again."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from skywalking_provider.block import JudgedSpec
from skywalking_provider.errors import EntityNotFoundError, ProviderError
from skywalking_provider.model import Entity, EntitySet, Window
from skywalking_provider.oap.api.batching import BatchResult
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.queries.indicators.judged_parts import PartReads, SideReads, decode_sides, split_into_hours
from skywalking_provider.queries.indicators.reads import IndicatorMetrics
from skywalking_provider.queries.indicators.registry import AverageLatency, PercentileLatency, SuccessRate
from skywalking_provider.queries.series import Series
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from tests.analysis.judged import COMPARE, OBJECTIVE

MINUTE = timedelta(minutes=1)
BERLIN, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")
METRICS = IndicatorMetrics("service_instance_sla", "service_instance_cpm")
CANARY, OTHER_CANARY, NEW_CANARY, STABLE = (Entity("a", instance=f"a-{name}") for name in ("c1", "c2", "c3", "s1"))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def window(start: str, end: str, zone: Any = UTC) -> Window:
    return Window(utc(start).astimezone(zone), utc(end).astimezone(zone))


def spec(block: dict[str, Any]) -> JudgedSpec:
    return JudgedSpec.model_validate_json(json.dumps(block))


def values(*numbers: int) -> dict[str, Any]:
    return {"values": {"values": [{"value": one} for one in numbers]}}


def expression(*numbers: int | None) -> dict[str, Any]:
    results = [{"values": [{"value": None if one is None else str(one)} for one in numbers]}]
    return {"type": "TIME_SERIES_VALUES", "results": results}


def reads(*members: Entity, selector: str = "abc", first: int = 0, metrics: IndicatorMetrics = METRICS) -> SideReads:
    return SideReads(EntitySet(members, selector=selector), metrics, first)


def missing() -> SideReads:
    return SideReads(EntitySet(()), missing=EntityNotFoundError("no pod"))


def part(start: str, end: str, data: Mapping[str, Any], *sides: SideReads) -> PartReads:
    return PartReads(window(start, end), sides, BatchResult(dict(data), ()))


def starts(one: Window, zone: Any = UTC) -> list[str]:
    """Return the borders of the parts of a window, which touch each other."""
    parts = split_into_hours(one)
    assert all(before.end.astimezone(UTC) == after.start.astimezone(UTC) for before, after in pairwise(parts))
    assert all(border.tzinfo is zone for part in parts for border in (part.start, part.end))
    return [f"{border:%m-%d %H:%M}" for border in (*(part.start for part in parts), parts[-1].end)]


@pytest.mark.parametrize(
    ("start", "end", "borders"),
    [
        ("11-24 12:10", "11-24 12:40", ["11-24 12:00", "11-24 12:40"]),
        ("11-24 12:10", "11-24 13:01", ["11-24 12:00", "11-24 13:01"]),  # the last part has two buckets at least
        ("11-24 12:10", "11-24 13:02", ["11-24 12:00", "11-24 13:00", "11-24 13:02"]),
        ("11-24 12:00", "11-24 13:00", ["11-24 12:00", "11-24 13:00"]),
        ("11-24 12:59", "11-24 15:30", ["11-24 12:00", "11-24 13:00", "11-24 14:00", "11-24 15:00", "11-24 15:30"]),
        ("11-24 23:30", "11-25 00:30", ["11-24 23:00", "11-25 00:00", "11-25 00:30"]),
        ("11-24 12:00", "11-24 12:01", ["11-24 12:00", "11-24 12:01"]),
    ],
)
def test_window_is_split_at_whole_hours(start: str, end: str, borders: list[str]) -> None:
    assert starts(window(start, end)) == borders


def test_window_is_split_at_the_hours_of_utc_and_keeps_its_zone() -> None:
    one = window("11-24 12:10", "11-24 13:30", KATHMANDU)

    assert starts(one, KATHMANDU) == ["11-24 17:45", "11-24 18:45", "11-24 19:15"]


def test_parts_have_the_step_of_the_window() -> None:
    step = timedelta(minutes=5)
    parts = split_into_hours(Window(utc("11-24 12:10"), utc("11-24 13:10"), step))

    assert [one.step for one in parts] == [step, step]
    assert [one.start for one in split_into_hours(Window(utc("11-24 12:10"), utc("11-24 13:05"), step))] == [
        utc("11-24 12:00")
    ]


def test_first_part_does_not_begin_before_a_change_of_the_clock() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")  # 2026-10-03 15:30 UTC: 02:00 becomes 02:30

    assert starts(window("10-03 15:40", "10-03 17:00", zone), zone) == ["10-04 02:40", "10-04 03:00", "10-04 04:00"]
    assert starts(window("10-03 15:10", "10-03 15:25", zone), zone) == ["10-04 01:30", "10-04 01:55"]
    assert starts(window("03-29 01:10", "03-29 02:30", BERLIN), BERLIN) == ["03-29 03:00", "03-29 04:00", "03-29 04:30"]


def test_requests_of_a_side_have_the_numbers_of_its_entities() -> None:
    assert reads(STABLE, first=2).build_requests() == [
        SeriesRequest("c2", "service_instance_cpm", STABLE, role="calls"),  # type: ignore[arg-type]
        SeriesRequest("v2", "service_instance_sla", STABLE),
    ]
    assert missing().build_requests() == []


def test_minutes_of_both_sides_are_put_together_from_all_parts() -> None:
    parts = (
        part(
            "11-24 12:00",
            "11-24 12:03",
            {"c0": values(9, 100, 200), "v0": values(0, 9900, 9800)},
            reads(CANARY),
            missing(),
        ),
        part(
            "11-24 12:03",
            "11-24 12:05",
            {
                "c0": values(100, 0),
                "v0": values(10_000, 0),
                "c1": values(300, 0),
                "v1": values(9000, 0),
                "c2": values(400, 500),
                "v2": values(9900, 9800),
            },
            reads(OTHER_CANARY, NEW_CANARY),
            reads(STABLE, first=2, selector="def"),
        ),
    )
    one = spec(COMPARE)

    sample = decode_sides(one, SuccessRate(), parts, window("11-24 12:01", "11-24 12:05"), mqe=False)

    canary = {0: SideMinute(100, 1, 1), 1: SideMinute(200, 4, 4), 2: SideMinute(400, 30, 30)}
    stable = {2: SideMinute(400, 4, 4), 3: SideMinute(500, 10, 10)}
    assert sample.sides == Sides(
        one, "success-rate", Side(canary, "3 instances of abc"), Side(stable, "1 instance of def")
    )
    assert [repr(minute) for minute in sample.sides.canary.minutes] == ["0", "1", "2"]
    assert sample.series == (
        Series("service_instance_sla of canary", (100, 200, 400)),
        Series("service_instance_sla of stable", (400, 500)),
    )
    assert (sample.result, sample.summary, sample.calls, sample.buckets_with_data) == (None, "success-rate", 700, 1)
    assert sample.chart_series == (
        Series("success-rate of canary", (0.99, 0.98, pytest.approx(0.925), None)),
        Series("calls of canary", (100, 200, 400, None), counts_calls=True),
        Series("success-rate of stable", (None, None, 0.99, 0.98)),
        Series("calls of stable", (None, None, 400, 500), counts_calls=True),
    )


def test_minutes_after_the_window_are_ignored() -> None:
    data = {"c0": values(100, 100, 100), "v0": values(9900, 9900, 9900)}
    parts = [part("11-24 12:00", "11-24 12:03", data, reads(CANARY))]

    sample = decode_sides(spec(OBJECTIVE), SuccessRate(), parts, window("11-24 12:00", "11-24 12:02"), mqe=False)

    assert sample.calls == 200


@pytest.fixture
def local_kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("local_kathmandu")
def test_local_zone_does_not_matter() -> None:
    assert starts(window("11-24 12:10", "11-24 13:30")) == ["11-24 12:00", "11-24 13:00", "11-24 13:30"]
    zone = ZoneInfo("Australia/Lord_Howe")
    assert starts(window("10-03 15:40", "10-03 17:00", zone), zone) == ["10-04 02:40", "10-04 03:00", "10-04 04:00"]


def test_minutes_with_an_objective_are_those_of_one_side() -> None:
    metrics = IndicatorMetrics("service_percentile", "service_cpm", labeled=True)
    labels = [{"key": "p", "value": "99"}]
    percentile = expression(80, None)
    percentile["results"][0]["metric"] = {"labels": labels}
    data = {"c0": expression(10, 20), "v0": percentile}
    one = spec(OBJECTIVE | {"sli": "latency", "percentile": 99, "objective": 200, "instances": None})
    side = reads(Entity("a"), selector="", metrics=metrics)

    sample = decode_sides(
        one,
        PercentileLatency(99, weighted=False),
        [part("11-24 12:00", "11-24 12:02", data, side)],
        window("11-24 12:00", "11-24 12:02"),
        mqe=True,
    )

    assert sample.sides == Sides(one, "latency p99", Side({0: SideMinute(10, 80, 80)}))
    assert sample.series == (Series("service_percentile", (10,)),)
    assert (sample.summary, sample.calls, sample.buckets_with_data) == ("latency p99", 10, 1)
    assert sample.chart_series == (
        Series("latency p99", (80, None)),
        Series("calls", (10, None), counts_calls=True),
    )


def test_zero_latency_of_an_expression_is_a_value() -> None:
    data = {"c0": expression(10), "v0": expression(0)}
    side = reads(CANARY, metrics=IndicatorMetrics("service_instance_resp_time", "service_instance_cpm"))
    one = spec(OBJECTIVE | {"sli": "latency", "objective": 200})

    sample = decode_sides(
        one,
        AverageLatency(),
        [part("11-24 12:00", "11-24 12:01", data, side)],
        window("11-24 12:00", "11-24 12:01"),
        mqe=True,
    )

    assert sample.sides == Sides(one, "latency", Side({0: SideMinute(10, 0, 0)}, "1 instance of abc"))


def test_response_with_buckets_of_another_part_is_invalid() -> None:
    outside = {"values": {"values": [{"id": "service_instance_cpm_202611241201_x", "value": 5}]}}
    parts = [part("11-24 12:00", "11-24 12:01", {"c0": outside, "v0": values(1)}, reads(CANARY))]

    with pytest.raises(ProviderError, match="not for the requested window: c0 has the bucket"):
        decode_sides(spec(OBJECTIVE), SuccessRate(), parts, window("11-24 12:00", "11-24 12:02"), mqe=False)
