"""The shipped scenarios, scenario files, and their validation."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from skywalking_provider.mock_oap import ManualClock, MockOap, ScenarioError, load_scenario, shipped_scenarios
from skywalking_provider.mock_oap.scenario import parse_scenario
from tests.mock_oap.client import CANARY, VANILLA, fetch_buckets, minute_duration, post

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
WINDOW = minute_duration(NOW - timedelta(minutes=11), 9)


async def canary_values(scenario: str, metric: str, **entity: str) -> list[int | None]:
    async with MockOap(scenario, clock=ManualClock(NOW)) as oap:
        return await fetch_buckets(oap, metric, WINDOW, **entity)


def test_shipped_scenarios_lists_them_with_descriptions():
    assert shipped_scenarios() == [
        "alarming-canary",
        "bad-canary",
        "failing-canary",
        "failing-endpoint",
        "healthy-canary",
        "idle-minutes",
        "judged-bad",
        "judged-cold-start",
        "judged-healthy",
        "judged-thin",
        "late-data",
        "no-such-service",
        "past-deploys",
        "relabeled-pods",
        "shared-incident",
        "slow-canary",
    ]
    assert all(load_scenario(name).description for name in shipped_scenarios())


async def test_healthy_canary_has_full_apdex_and_success_rate():
    assert await canary_values("healthy-canary", "service_apdex") == [10_000] * 9
    assert await canary_values("healthy-canary", "service_sla") == [10_000] * 9


async def test_slow_canary_has_full_success_rate_and_low_apdex():
    assert await canary_values("slow-canary", "service_sla") == [10_000] * 9
    assert await canary_values("slow-canary", "service_apdex") == [3_500] * 9
    assert await canary_values("slow-canary", "service_resp_time") == [1_610] * 9


async def test_failing_canary_fails_every_tenth_call():
    assert await canary_values("failing-canary", "service_sla") == [9_000] * 9
    assert await canary_values("failing-canary", "service_apdex") == [8_500] * 9


async def test_idle_minutes_are_absent():
    assert await canary_values("idle-minutes", "service_cpm") == [60, None, 60, 60, None, 60, 60, None, 60]


async def test_late_data_appear_after_the_end_of_their_bucket():
    clock = ManualClock(NOW)
    async with MockOap("late-data", clock=clock) as oap:
        bucket = minute_duration(NOW, 1)
        clock.set(NOW.replace(minute=1, second=10))
        assert await fetch_buckets(oap, "service_cpm", bucket) == [None]
        clock.set(NOW.replace(minute=2, second=0))
        assert 0 < (await fetch_buckets(oap, "service_cpm", bucket))[0] < 60
        clock.set(NOW.replace(minute=3, second=0))
        assert await fetch_buckets(oap, "service_cpm", bucket) == [60]


async def test_no_such_service_is_not_listed_and_has_no_data():
    async with MockOap("no-such-service", clock=ManualClock(NOW)) as oap:
        listed = (await post(oap, "{ listServices { name } }"))["data"]["listServices"]
        assert CANARY not in [service["name"] for service in listed]
        assert await fetch_buckets(oap, "service_cpm", WINDOW) == [None] * 9


async def test_vanilla_service_has_the_canary_as_an_instance():
    async with MockOap("failing-canary", clock=ManualClock(NOW)) as oap:
        service = await post(oap, "query($name: String!) { findService(serviceName: $name) { id } }", name=VANILLA)
        response = await post(
            oap,
            "query($d: Duration!, $id: ID!) { listInstances(duration: $d, serviceId: $id) "
            "{ name attributes { name value } } }",
            d=WINDOW,
            id=service["data"]["findService"]["id"],
        )
        names = [instance["name"] for instance in response["data"]["listInstances"]]
        (pod,) = [name for name in names if "6c85f7bf4" in name.split("-")]
        assert len(names) == 3

        sla = await fetch_buckets(oap, "service_instance_sla", WINDOW, VANILLA, serviceInstanceName=pod)
        assert sla == [9_000] * 9
        # 300 calls per minute of which 6 fail: the success rate of the whole service hides the canary's failures
        assert await fetch_buckets(oap, "service_sla", WINDOW, VANILLA) == [9_800] * 9
        assert await fetch_buckets(oap, "service_cpm", WINDOW, VANILLA) == [300] * 9


async def test_set_scenario_while_running_changes_the_values():
    async with MockOap("healthy-canary", clock=ManualClock(NOW)) as oap:
        assert await fetch_buckets(oap, "service_sla", WINDOW) == [10_000] * 9
        oap.set_scenario("failing-canary")
        assert await fetch_buckets(oap, "service_sla", WINDOW) == [9_000] * 9


OWN_SCENARIO = """
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


async def test_scenario_file_is_loaded_and_follows_the_clock(tmp_path: Path):
    file = tmp_path / "own.yaml"
    file.write_text(OWN_SCENARIO)
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
        query = 'query($d: Duration!) { listInstances(duration: $d, serviceId: "c2hvcA==.1") { name } }'
        for first, listed in ((0, []), (2, [{"name": "shop-1"}]), (5, [])):
            window = minute_duration(NOW + timedelta(minutes=first), 2)
            assert (await post(oap, query, d=window))["data"]["listInstances"] == listed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "services: [{name: a, trafic: []}]",
            (
                "own: services[0].trafic: unknown key. Remove it, or write one of name, layer, normal, from,"
                " apdexThreshold, agent, errorLog, instances, endpoints, traffic, callers, alarms."
            ),
        ),
        (
            "services: [{name: a, instances: [{name: b, attribute: {}}]}]",
            (
                "services[0].instances[0].attribute: unknown key. Remove it, or write one of name, attributes, traffic,"
                " from, until, language."
            ),
        ),
        (
            "services: [{name: a, callers: [{name: b, traffic: [{calls: 1}]}]}]",
            "callers[0].name: unknown key. Remove it, or write one of service, normal, detectedBy, traffic.",
        ),
        (
            "service: []",
            "service: unknown key. Remove it, or write one of description, flush, services.",
        ),
        ("services: [{name: a, traffic: [{calls: many}]}]", "own: services[0].traffic[0].calls: Input should be"),
        ("services: [{name: a, traffic: [{calls: 1, failures: 2}]}]", "failures (2) cannot exceed calls (1)"),
        (
            "services: [{name: a, traffic: [{calls: 1, failures: 0, successRatio: 1}]}]",
            "failures and successRatio exclude each other",
        ),
        ("services: [{name: a, traffic: [{calls: 1, from: 3, until: 3}]}]", "until (3) must be after from (3)"),
        ("services: [{name: a}, {name: a}]", "a name occurs twice"),
        ("[]", "own: scenario:"),
        ("services: [", "own: not YAML"),
    ],
)
def test_parse_scenario_invalid_key_or_value_is_rejected_with_its_place(text: str, message: str):
    with pytest.raises(ScenarioError) as raised:
        parse_scenario(text, "own")
    assert message in str(raised.value)


def test_load_scenario_unknown_name_lists_the_shipped_ones():
    with pytest.raises(ScenarioError, match=r"no scenario 'helthy'.*healthy-canary"):
        load_scenario("helthy")


def test_mock_oap_unknown_version_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"10\.9\.9.*9\.2\.0, 9\.6\.0, 10\.1\.0"):
        MockOap(version="10.9.9")
