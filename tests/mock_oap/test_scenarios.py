"""Scenarios: what ships with the package plays what its name says, and a file of one's own is checked."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from skywalking_provider.mock_oap import ManualClock, MockOap, ScenarioError, load_scenario, shipped_scenarios
from skywalking_provider.mock_oap.scenario import parse_scenario
from tests.mock_oap.client import CANARY, VANILLA, fetch_buckets, minute_duration, post

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
WINDOW = minute_duration(NOW - timedelta(minutes=11), 9)


async def canary(scenario: str, metric: str, **entity: str) -> list[int | None]:
    async with MockOap(scenario, clock=ManualClock(NOW)) as oap:
        return await fetch_buckets(oap, metric, WINDOW, **entity)


def test_these_scenarios_are_shipped():
    assert shipped_scenarios() == [
        "bad-canary",
        "failing-canary",
        "healthy-canary",
        "idle-minutes",
        "late-data",
        "no-such-service",
        "slow-canary",
    ]
    assert all(load_scenario(name).description for name in shipped_scenarios())


async def test_a_healthy_canary_satisfies_its_callers():
    assert await canary("healthy-canary", "service_apdex") == [10_000] * 9
    assert await canary("healthy-canary", "service_sla") == [10_000] * 9


async def test_a_slow_canary_answers_well_but_late():
    assert await canary("slow-canary", "service_sla") == [10_000] * 9
    assert await canary("slow-canary", "service_apdex") == [3_500] * 9
    assert await canary("slow-canary", "service_resp_time") == [1_610] * 9


async def test_a_failing_canary_fails_every_tenth_call():
    assert await canary("failing-canary", "service_sla") == [9_000] * 9
    assert await canary("failing-canary", "service_apdex") == [8_500] * 9


async def test_an_idle_minute_is_absent_and_not_zero():
    assert await canary("idle-minutes", "service_cpm") == [60, None, 60, 60, None, 60, 60, None, 60]


async def test_late_data_come_after_the_close_of_their_bucket():
    clock = ManualClock(NOW)
    async with MockOap("late-data", clock=clock) as oap:
        bucket = minute_duration(NOW, 1)
        clock.set(NOW.replace(minute=1, second=10))
        assert await fetch_buckets(oap, "service_cpm", bucket) == [None]
        clock.set(NOW.replace(minute=2, second=0))
        assert 0 < (await fetch_buckets(oap, "service_cpm", bucket))[0] < 60
        clock.set(NOW.replace(minute=3, second=0))
        assert await fetch_buckets(oap, "service_cpm", bucket) == [60]


async def test_an_unknown_service_is_neither_listed_nor_measured():
    async with MockOap("no-such-service", clock=ManualClock(NOW)) as oap:
        listed = (await post(oap, "{ listServices { name } }"))["data"]["listServices"]
        assert CANARY not in [service["name"] for service in listed]
        assert await fetch_buckets(oap, "service_cpm", WINDOW) == [None] * 9


async def test_the_vanilla_service_shows_the_canary_only_as_an_instance():
    async with MockOap("failing-canary", clock=ManualClock(NOW)) as oap:
        found = await post(oap, "query($name: String!) { findService(serviceName: $name) { id } }", name=VANILLA)
        answer = await post(
            oap,
            "query($d: Duration!, $id: ID!) { listInstances(duration: $d, serviceId: $id) "
            "{ name attributes { name value } } }",
            d=WINDOW,
            id=found["data"]["findService"]["id"],
        )
        names = [instance["name"] for instance in answer["data"]["listInstances"]]
        (pod,) = [name for name in names if "6c85f7bf4" in name.split("-")]
        assert len(names) == 3

        sla = await fetch_buckets(oap, "service_instance_sla", WINDOW, VANILLA, serviceInstanceName=pod)
        assert sla == [9_000] * 9
        # 300 calls a minute, 6 of them fail: the canary's failures drown in the whole
        assert await fetch_buckets(oap, "service_sla", WINDOW, VANILLA) == [9_800] * 9
        assert await fetch_buckets(oap, "service_cpm", WINDOW, VANILLA) == [300] * 9


async def test_a_scenario_can_be_changed_while_it_runs():
    async with MockOap("healthy-canary", clock=ManualClock(NOW)) as oap:
        assert await fetch_buckets(oap, "service_sla", WINDOW) == [10_000] * 9
        oap.play("failing-canary")
        assert await fetch_buckets(oap, "service_sla", WINDOW) == [9_000] * 9


OWN = """
services:
  - name: shop
    layer: GENERAL
    from: 2
    endpoints: [/buy]
    instances:
      - {name: shop-1, from: 3, until: 5}
    traffic:
      - {from: 0, until: 2, calls: 10, failures: 5}
      - {from: 2, calls: 1000, successRatio: 0.999, latencies: [40], idleMinutes: [4]}
"""


async def test_a_file_of_ones_own_is_played(tmp_path: Path):
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    clock = ManualClock(NOW)
    async with MockOap(file, clock=clock) as oap:
        assert (await post(oap, "{ listServices { name } }"))["data"]["listServices"] == []
        clock.advance(600)
        assert (await post(oap, "{ listServices { name } }"))["data"]["listServices"] == [{"name": "shop"}]
        assert (await post(oap, "{ listLayers }"))["data"]["listLayers"] == ["GENERAL"]
        six = minute_duration(NOW, 6)
        assert await fetch_buckets(oap, "service_sla", six, "shop") == [5_000, 5_000, 9_990, 9_990, None, 9_990]
        assert await fetch_buckets(oap, "endpoint_cpm", six, "shop", endpointName="/buy") == [
            10,
            10,
            1000,
            1000,
            None,
            1000,
        ]
        ask = 'query($d: Duration!) { listInstances(duration: $d, serviceId: "c2hvcA==.1") { name } }'
        for first, listed in ((0, []), (2, [{"name": "shop-1"}]), (5, [])):
            window = minute_duration(NOW + timedelta(minutes=first), 2)
            assert (await post(oap, ask, d=window))["data"]["listInstances"] == listed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("services: [{name: a, trafic: []}]", "own: services[0].trafic: unknown key"),
        ("services: [{name: a, traffic: [{calls: many}]}]", "own: services[0].traffic[0].calls: Input should be"),
        ("services: [{name: a, traffic: [{calls: 1, failures: 2}]}]", "failures (2) cannot exceed calls (1)"),
        ("services: [{name: a, traffic: [{calls: 1, failures: 0, successRatio: 1}]}]", "not both"),
        ("services: [{name: a, traffic: [{calls: 1, from: 3, until: 3}]}]", "until (3) must come after from (3)"),
        ("services: [{name: a}, {name: a}]", "a name is there twice"),
        ("[]", "own: scenario:"),
        ("services: [", "own: not YAML"),
    ],
)
def test_a_wrong_scenario_is_refused_at_its_place(text: str, told: str):
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(text, "own")
    assert told in str(refused.value)


def test_a_missing_scenario_names_those_that_exist():
    with pytest.raises(ScenarioError, match=r"no scenario 'helthy'.*healthy-canary"):
        load_scenario("helthy")


def test_an_unrecorded_version_names_those_that_are():
    with pytest.raises(ValueError, match=r"10\.9\.9.*9\.2\.0, 9\.6\.0, 10\.1\.0"):
        MockOap(version="10.9.9")
