"""Metrics query expressions: load buckets, evaluate, compare."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.mock_oap.aggregation import Calls, distribute
from skywalking_provider.mock_oap.java_format import decimal_format
from skywalking_provider.mock_oap.metric_catalog import METRICS
from skywalking_provider.mock_oap.mqe.grammar import MqeSyntaxError, parse_expression
from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.mock_oap.versions import select_version
from tests.mock_oap.client import VANILLA, evaluate, minute_duration

NOW = datetime(2026, 11, 23, 12, 10, 0, tzinfo=UTC)
CANARY = "canary"

# Calls per minute: 10 20 - 40 50. Every tenth fails.
BUCKETS = parse_scenario(
    """
flush: 1
services:
  - name: canary
    endpoints: [/a, /b]
    traffic:
      - {from: -10, until: -9, calls: 10, failures: 1, latencies: [100, 200]}
      - {from: -9, until: -8, calls: 20, failures: 2, latencies: [100, 200]}
      - {from: -7, until: -6, calls: 40, failures: 4, latencies: [100, 200]}
      - {from: -6, until: -5, calls: 50, failures: 5, latencies: [100, 200]}
  - name: stable
    traffic:
      - {from: -10, until: -5, calls: 7}
""",
    "buckets",
)
FIVE = minute_duration(NOW - timedelta(minutes=10), 5)


async def run(expression: str, *, version: str = "10.1.0", service: str | None = CANARY, **options: Any) -> Any:
    async with MockOap(BUCKETS, version=version, clock=ManualClock(NOW), **options) as oap:
        return await evaluate(oap, expression, FIVE, service)


def list_values(result: Any) -> list[list[str | None]]:
    return [[value["value"] for value in row["values"]] for row in result["results"]]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("service_cpm", ["10", "20", None, "40", "50"]),
        ("service_cpm * 2 + 1", ["21", "41", None, "81", "101"]),
        ("100 - service_cpm", ["90", "80", None, "60", "50"]),
        ("2 * (service_cpm - 5)", ["10", "30", None, "70", "90"]),
        ("service_cpm % 15", ["10", "5", None, "10", "5"]),
        ("service_cpm / service_cpm", ["1", "1", None, "1", "1"]),
        ("service_cpm >= 40", ["0", "0", None, "1", "1"]),
        ("service_cpm == bool 20", ["0", "1", None, "0", "0"]),
        ("avg(service_cpm)", ["30"]),
        ("sum(service_cpm)", ["120"]),
        ("count(service_cpm)", ["4"]),
        ("latest(service_cpm)", ["50"]),
        ("max(service_cpm) - min(service_cpm)", ["40"]),
        ("avg(service_cpm) > 20", ["1"]),
        ("avg(service_cpm)/7", ["4.286"]),
        ("round(avg(service_cpm)/7, 1)", ["4.3"]),
        ("ceil(avg(service_cpm)/7)", ["5"]),
        ("floor(avg(service_cpm)/7)", ["4"]),
        ("abs(1 - avg(service_cpm))", ["29"]),
        ("increase(service_cpm, 1)", [None, "10", None, None, "10"]),
        ("rate(service_cpm, 1)", [None, "0.167", None, None, "0.167"]),
        ("is_present(no_such, service_cpm)", ["1"]),
        ("is_present(no_such)", ["0"]),
        ("view_as_seq(no_such, service_sla)", ["9000", "9000", None, "9000", "9000"]),
        ("aggregate_labels(service_percentile{p='50,99'}, sum)", ["300", "300", None, "300", "300"]),
        ("avg(service_percentile{p='99'}) / 2", ["100"]),
        ("service_cpm garbage is ignored", ["10", "20", None, "40", "50"]),
    ],
)
async def test_expression_evaluated_has_expected_values(expression: str, expected: list[str | None]):
    result = await run(expression)
    assert result["error"] is None
    assert list_values(result) == [expected]


async def test_aggregate_selected_value_keeps_its_time_and_computed_value_has_none():
    times = {name: (await run(f"{name}(service_cpm)"))["results"][0]["values"][0]["id"] for name in ("max", "avg")}
    assert times == {"max": str(int((NOW - timedelta(minutes=6)).timestamp()) * 1000), "avg": None}


async def test_percentiles_selected_are_rows_with_labels():
    result = await run("service_percentile{p='50,99'}")
    assert [row["metric"]["labels"] for row in result["results"]] == [
        [{"key": "p", "value": "50"}],
        [{"key": "p", "value": "99"}],
    ]
    assert list_values(result) == [["100", "100", None, "100", "100"], ["200", "200", None, "200", "200"]]


async def test_operation_on_labeled_rows_combines_rows_with_equal_labels():
    result = await run("service_percentile{p='50,99'} - service_percentile{p='99'}")
    assert list_values(result) == [[None] * 5, ["0", "0", None, "0", "0"]]


async def test_relabels_replaces_key_and_values_of_labels():
    result = await run("relabels(service_percentile{p='50,99'}, p='50,99', quantile='median,worst')")
    assert [row["metric"]["labels"] for row in result["results"]] == [
        [{"key": "quantile", "value": "median"}],
        [{"key": "quantile", "value": "worst"}],
    ]


async def test_relabels_of_9_6_replaces_the_positions():
    result = await run("relabels(service_percentile{_='0,4'}, _='50,99')", version="9.6.0")
    assert [row["metric"]["labels"] for row in result["results"]] == [
        [{"key": "_", "value": "50"}],
        [{"key": "_", "value": "99"}],
    ]


async def test_percentiles_of_9_6_are_labeled_by_position():
    result = await run("service_percentile{_='0,4'}", version="9.6.0")
    assert [row["metric"]["labels"] for row in result["results"]] == [
        [{"key": "_", "value": "0"}],
        [{"key": "_", "value": "4"}],
    ]


async def test_top_n_ranks_services_or_the_children_of_the_given_service():
    ranked = await run("top_n(service_cpm, 5, des)", service=None)
    assert ranked["type"] == "SORTED_LIST"
    assert [(value["id"], value["value"]) for value in ranked["results"][0]["values"]] == [
        ("canary", "30"),
        ("stable", "7"),
    ]
    endpoints = await run("top_n(endpoint_cpm, 1, asc)")
    assert [value["id"] for value in endpoints["results"][0]["values"]] == ["/a"]


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("nope", "Metric: [nope] does not exist."),
        ("avg(nope) + 1", "Metric: [nope] does not exist."),
        ("top_n(service_cpm, 0, des)", "TopN value must be > 0."),
        (
            "top_n(service_percentile, 1, des)",
            "Metric: [service_percentile] is labeled value, does not support top_n query.",
        ),
        ("latest(avg(service_cpm))", "LATEST can only be used in time series result."),
        ("increase(service_cpm, 0)", "The trend range must be greater than 0."),
        ("aggregate_labels(service_cpm, sum)", "The operand is not a labeled result."),
        ("service_cpm)", None),
        ("increase(service_percentile, 1)", None),
        ("round(service_cpm)", "line 1:17 unexpected ')'"),
        ("avg service_cpm)", "line 1:4 unexpected 'service_cpm'"),
        ("avg(service_cpm]", "line 1:15 unexpected ']'"),
        ("avg(service_cpm x)", "line 1:16 unexpected 'x'"),
        ("avg(service_cpm", "line 1:15 unexpected '<EOF>'"),
        ("service_percentile{p=50}", "line 1:21 unexpected '50'"),
        ("top_n(service_cpm, 3, up)", "line 1:22 unexpected 'up'"),
        ("service_cpm +\n -", "line 2:1 unexpected '-'"),
        ("aggregate_labels(service_percentile, count)", "line 1:37 unexpected 'count'"),
        ("service_cpm & 1", "line 1:12 unexpected '&'"),
        ("", "line 1:0 unexpected '<EOF>'"),
    ],
)
async def test_expression_rejected_reports_the_reason(expression: str, error: str | None):
    assert (await run(expression))["error"] == error


async def test_decimal_comma_enabled_formats_numbers_with_a_comma():
    assert list_values(await run("avg(service_cpm)/7", decimal_comma=True)) == [["4,286"]]


async def test_top_n_of_the_vanilla_service_ranks_its_instances():
    async with MockOap("failing-canary", clock=ManualClock(NOW)) as oap:
        ranked = await evaluate(oap, "top_n(service_instance_sla, 1, asc)", FIVE, VANILLA)
    assert ranked["results"][0]["values"] == [{"id": "reviews-6c85f7bf4-9zr8t", "value": "9000"}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0625, "0.062"),
        (0.0004, "0"),
        (0.0015, "0.002"),
        (2.5, "2.5"),
        (-0.0, "-0"),
        (1e21, "1000000000000000000000"),
        (float("inf"), "∞"),
        (float("-inf"), "-∞"),
        (float("nan"), "NaN"),
        (1 / 3, "0.333"),
    ],
)
def test_decimal_format_number_is_formatted_as_by_java(value: float, text: str):
    assert decimal_format(value) == text


@given(st.text(alphabet="avgsumround(),+-*/%<>=!{}'\"._pbool 0123456789\n&", max_size=60))
def test_parse_expression_any_text_returns_a_node_or_raises_a_syntax_error(text: str):
    for version in ("9.6.0", "10.1.0"):
        mqe = select_version(version).mqe
        assert mqe is not None
        with suppress(MqeSyntaxError):
            parse_expression(text, mqe)


@pytest.mark.parametrize("text", ["(" * 5_000, "abs(" * 500 + "1" + ")" * 500, "1" + " + 1" * 500])
async def test_parse_expression_too_long_is_rejected(text: str):
    assert (await run(text))["error"] == "line 1:0 the expression has more than 400 tokens"


async def test_expression_as_deep_as_allowed_is_evaluated():
    assert list_values(await run("abs(" * 132 + "1" + ")" * 132)) == [["1"]]
    assert list_values(await run("1" + " + 1" * 199)) == [["200"]]


@given(calls=st.integers(1, 300), failed=st.data())
def test_success_rate_truncated_determines_the_number_of_successes(calls: int, failed: st.DataObject):
    failures = failed.draw(st.integers(0, calls))
    whole = distribute(Calls(calls, failures, (50, 70), (), (), 500), calls).whole
    sla = METRICS["service_sla"].value(whole, 1)
    assert whole.successes == calls - failures
    assert -(-sla * calls // 10_000) == whole.successes  # rounded up, because OAP truncates
