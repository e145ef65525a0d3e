"""Windows across midnight, on an OAP whose storage reads only the first day of them."""

import json
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from skywalking_provider.mock_oap import ManualClock, MockOap, Scenario
from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Deadline, Metric, Phase, Run, Window
from skywalking_provider.queries.days import split_into_days
from tests.analysis.harness import HarnessFactory, measure
from tests.mock_oap.client import fetch_buckets, minute_duration

MINUTE = timedelta(minutes=1)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
KATHMANDU, BERLIN, CAIRO = ZoneInfo("Asia/Kathmandu"), ZoneInfo("Europe/Berlin"), ZoneInfo("Africa/Cairo")


def split(start: str, end: str, zone: tzinfo = UTC, *, single_buckets: bool = True) -> list[str]:
    first, last = (datetime.fromisoformat(f"2026-{one}").replace(tzinfo=UTC).astimezone(zone) for one in (start, end))
    days = split_into_days(Window(first, last), single_buckets=single_buckets)
    assert sum(day.buckets for day in days) == Window(first, last).buckets
    return [f"{day.start:%d %H:%M}-{day.end:%d %H:%M}" for day in days]


@pytest.mark.parametrize(
    ("start", "end", "zone", "days"),
    [
        ("11-24 23:50", "11-25 00:05", UTC, ["24 23:50-25 00:00", "25 00:00-25 00:05"]),
        ("11-24 23:59", "11-25 00:01", UTC, ["24 23:59-25 00:00", "25 00:00-25 00:01"]),
        ("11-24 23:50", "11-25 00:00", UTC, ["24 23:50-25 00:00"]),
        ("11-25 00:00", "11-25 00:05", UTC, ["25 00:00-25 00:05"]),
        ("11-24 12:00", "11-24 12:05", UTC, ["24 12:00-24 12:05"]),
        ("11-24 18:10", "11-24 18:20", KATHMANDU, ["24 23:55-25 00:00", "25 00:00-25 00:05"]),
        # The clock skips midnight: 24 April begins at 01:00.
        ("04-23 21:55", "04-23 22:05", CAIRO, ["23 23:55-24 01:00", "24 01:00-24 01:05"]),
        ("10-24 21:50", "10-24 22:10", BERLIN, ["24 23:50-25 00:00", "25 00:00-25 00:10"]),
    ],
)
def test_window_is_split_at_the_midnight_of_the_oap(start: str, end: str, zone: tzinfo, days: list[str]) -> None:
    assert split(start, end, zone) == days


def test_oap_that_rejects_single_buckets_gets_none() -> None:
    assert split("11-24 23:50", "11-25 00:01", single_buckets=False) == ["24 23:50-25 00:01"]
    assert split("11-24 23:59", "11-25 00:05", single_buckets=False) == ["24 23:59-25 00:05"]
    assert len(split("11-24 23:58", "11-25 00:02", single_buckets=False)) == 2


def build_scenario(failures: int, **canary: Any) -> Scenario:
    """Build a canary without failures until midnight, and with these of 100 calls a minute since then."""
    content = {
        "services": [
            {
                "name": name,
                "traffic": [
                    {"from": -30, "until": -4, "calls": 100},
                    {"from": -4, "until": 60, "calls": 100, "failures": failed},
                ],
            }
            | keys
            for name, failed, keys in (("canary", failures, canary), ("stable", 0, {}))
        ]
    }
    return parse_scenario(json.dumps(content), "midnight")


async def test_mock_with_jdbc_reads_the_first_day_only() -> None:
    clock, window = ManualClock(MIDNIGHT + 4 * MINUTE), minute_duration(MIDNIGHT - 2 * MINUTE, 4)
    for jdbc, expected in ((True, [100, 100, None, None]), (False, [100] * 4)):
        async with MockOap(build_scenario(0), clock=clock, jdbc=jdbc) as oap:
            assert await fetch_buckets(oap, "service_cpm", window, "canary") == expected


@pytest.mark.parametrize("version", ["9.2.0", "10.1.0"])
@pytest.mark.parametrize("jdbc", [True, False])
async def test_failures_after_midnight_fail_the_canary_on_any_storage(
    harness: HarnessFactory, version: str, jdbc: bool
) -> None:
    at = MIDNIGHT + 4 * MINUTE + timedelta(seconds=45)
    async with harness(build_scenario(20), at=at, version=version, jdbc=jdbc) as b:
        block = {"sli": "success-rate", "service": "canary", "since": "window", "window": "6m", "settle": "0s"}
        failed = await measure(b, "result > 0.95", **block)
        calls = await measure(b, "result > 0", **(block | {"sli": "throughput"}))

    assert failed.phase is Phase.FAILED
    assert float(failed.value) == pytest.approx(1 - 4 * 20 / 600)
    assert float(calls.value) == pytest.approx(100)


@pytest.mark.parametrize("jdbc", [True, False])
async def test_alarm_after_midnight_fails_the_canary_on_any_storage(harness: HarnessFactory, jdbc: bool) -> None:
    scenario = build_scenario(0, alarms=[{"rule": "service_sla_rule", "from": -3}])
    async with harness(scenario, at=MIDNIGHT + 4 * MINUTE + timedelta(seconds=45), jdbc=jdbc) as b:
        failed = await measure(b, "", alarms={}, service="canary", since="window", window="6m", settle="0s")

    assert failed.phase is Phase.FAILED, failed.message
    assert failed.message.startswith("ALARM_FIRED ")


@pytest.mark.parametrize("jdbc", [True, False])
async def test_judged_minutes_after_midnight_count_on_any_storage(harness: HarnessFactory, jdbc: bool) -> None:
    run = Run("bookinfo", "reviews-1", labels={"rollout-type": "Step"}, started_at=MIDNIGHT - 3 * MINUTE)
    async with harness(build_scenario(0), at=MIDNIGHT + 1 * MINUTE + timedelta(seconds=30), jdbc=jdbc) as b:
        block = {"sli": "success-rate", "service": "canary", "compare": {"service": "stable"}, "settle": "0s"}
        metric = Metric("m", "true", "", json.dumps(block).encode())
        measurement = await b.engine.run(metric, run, Deadline.after(10))

    assert json.loads(measurement.value)["minutes"] == 4
