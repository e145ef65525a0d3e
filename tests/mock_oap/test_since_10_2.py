"""Additions of OAP 10.2 to 10.4 to the query protocol, beside the recorded exchanges."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.mock_oap.scenario import parse_scenario
from tests.mock_oap.client import evaluate, fetch_buckets, minute_duration, post

NOW = datetime(2026, 11, 23, 12, 10, tzinfo=UTC)
SHOP = parse_scenario(
    """
services:
  - name: shop
    instances: [{name: shop-1}, {name: shop-2}]
    endpoints: [/buy]
    traffic:
      - {from: -5, until: -4, calls: 10, failures: 5}
      - {from: -4, until: -3, calls: 20, failures: 1}
      - {from: -2, until: 0, calls: 40, failures: 0}
""",
    "shop",
)
WINDOW = minute_duration(NOW - timedelta(minutes=5), 4)  # the third minute has no calls


def mock(version: str = "10.4.0") -> MockOap:
    return MockOap(SHOP, version=version, clock=ManualClock(NOW))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("service_cpm > 10 && service_sla > 9000", ["0", "1", None, "1"]),
        ("service_cpm > 10 || service_sla < 9000", ["1", "1", None, "1"]),
        ("service_cpm > 30 || service_cpm < 15 && service_sla > 9000", ["0", "0", None, "1"]),
        ("(service_cpm > 30 || service_cpm < 15) && service_sla > 9000", ["0", "0", None, "1"]),
        ("(service_cpm < 15 || service_cpm > 30) && service_cpm < 30", ["1", "0", None, "0"]),
        ("service_cpm < 15 || service_cpm > 30 && service_cpm < 30", ["1", "0", None, "0"]),
        ("service_cpm > 10 && avg(service_cpm) > 100", ["0", "0", None, "0"]),
        ("service_cpm > 30 && service_sla > 0 && service_cpm < 50", ["0", "0", None, "1"]),
    ],
)
async def test_boolean_operators_join_comparisons_of_each_minute(expression: str, expected: list[str | None]):
    async with mock() as oap:
        result = await evaluate(oap, expression, WINDOW, "shop")

    assert result["error"] is None
    assert [value["value"] for value in result["results"][0]["values"]] == expected


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        (
            "service_cpm && service_sla > 1",
            "Bool Operation: The result of the left expression is not a compare result.",
        ),
        ("service_sla > 1 || 1", "Bool Operation: The result of the right expression is not a compare result."),
        (
            "(service_sla > 1) + 1 && 1 > 0",
            "Bool Operation: The result of the left expression is not a compare result.",
        ),
        (
            "top_n(service_instance_cpm, 2, des) > 1 && service_cpm > 1",
            "Unsupported bool operation: Unsupported operation.",
        ),
    ],
)
async def test_boolean_operator_of_other_operands_is_an_error(expression: str, error: str):
    async with mock() as oap:
        result = await evaluate(oap, expression, WINDOW, "shop")

    assert (result["type"], result["error"], result["results"]) == ("UNKNOWN", error, [])


async def test_boolean_operator_before_10_2_is_an_unknown_character():
    async with mock("10.1.0") as oap:
        result = await evaluate(oap, "service_cpm > 10 || service_cpm < 1", WINDOW, "shop")

    assert result["type"] == "UNKNOWN"
    assert result["error"].startswith("line 1:17 ")


OWNERS = """query($x: String!, $e: Entity!, $d: Duration!) {
  r: execExpression(expression: $x, entity: $e, duration: $d) { results { values { id owner {
    scope serviceID serviceName normal serviceInstanceID serviceInstanceName endpointID endpointName } } } } }"""


async def owners(oap: MockOap, expression: str, service: str | None) -> list[Any]:
    response = await post(oap, OWNERS, x=expression, e={"serviceName": service, "normal": True}, d=WINDOW)
    return [value["owner"] for value in response["data"]["r"]["results"][0]["values"]]


async def test_ranked_values_have_their_owner_and_values_of_minutes_have_none():
    async with mock() as oap:
        assert await owners(oap, "service_cpm", "shop") == [None] * 4
        (service,) = await owners(oap, "top_n(service_cpm, 1, des)", None)
        (instance, _) = await owners(oap, "top_n(service_instance_cpm, 2, asc)", "shop")
        (endpoint,) = await owners(oap, "top_n(endpoint_cpm, 1, des)", "shop")

    names = ("serviceInstanceName", "endpointName")
    assert (service["scope"], service["serviceName"], service["normal"]) == ("Service", "shop", True)
    assert [service[name] for name in names] == [None, None]
    assert (instance["scope"], instance["serviceID"]) == ("ServiceInstance", service["serviceID"])
    assert [instance[name] for name in names] == ["shop-1", None]
    assert instance["serviceInstanceID"].startswith(f"{service['serviceID']}_")
    assert (endpoint["scope"], [endpoint[name] for name in names]) == ("Endpoint", [None, "/buy"])


@pytest.mark.parametrize("cold", [True, False, None])
async def test_duration_may_name_the_cold_stage(cold: bool | None):
    async with mock() as oap:
        duration: Any = {**WINDOW, "coldStage": cold}
        assert await fetch_buckets(oap, "service_cpm", duration, "shop") == [10, 20, None, 40]
        assert (await evaluate(oap, "max(service_cpm)", duration, "shop"))["results"][0]["values"][0]["value"] == "40"


async def test_ttl_of_data_is_that_of_an_unchanged_oap():
    async with mock() as oap:
        data = (await post(oap, "{ m: getMetricsTTL { minute coldMinute } r: getRecordsTTL { trace log } }"))["data"]

    assert data == {"m": {"minute": 7, "coldMinute": -1}, "r": {"trace": 3, "log": 3}}


async def test_labeled_metric_that_is_read_as_a_number_is_an_error_of_postgresql():
    query = """query($c: MetricsCondition!, $d: Duration!) {
      r: readMetricsValues(condition: $c, duration: $d) { label } }"""
    condition = {"name": "service_percentile", "entity": {"serviceName": "shop", "normal": True}}
    async with mock() as oap:
        (error,) = (await post(oap, query, c=condition, d=WINDOW))["errors"]

    assert "PSQLException: Bad value for type long : {p=50}," in error["message"]


async def test_traces_are_stored_as_segments_unless_the_storage_is_banyandb():
    async with mock() as oap:
        supported = await post(oap, "{ hasQueryTracesV2Support }")
        (error,) = (await post(oap, "{ queryTraces { traces { spans { spanId } } } }"))["errors"]

    assert supported["data"] == {"hasQueryTracesV2Support": False}
    assert "Only BanyanDB storage support Trace V2 query" in error["message"]
