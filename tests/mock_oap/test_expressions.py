"""Metrics query expressions: load buckets, ask, expect."""

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
from skywalking_provider.mock_oap.mqe.parser import MqeSyntaxError, parse
from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.mock_oap.versions import select_version
from tests.mock_oap.client import VANILLA, evaluate, minute_duration

NOW = datetime(2026, 11, 23, 12, 10, 0, tzinfo=UTC)
CANARY = "canary"

# calls a minute: 10 20 - 40 50, every tenth fails
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


async def ask(expression: str, *, version: str = "10.1.0", service: str | None = CANARY, **options: Any) -> Any:
    async with MockOap(BUCKETS, version=version, clock=ManualClock(NOW), **options) as oap:
        return await evaluate(oap, expression, FIVE, service)


def shown(result: Any) -> list[list[str | None]]:
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
        ("sort_values(service_cpm, 2, DES)", ["50", "40"]),
        ("sort_values(service_cpm, asc)", ["10", "20", "40", "50"]),
        ("aggregate_labels(service_percentile{p='50,99'}, sum)", ["300", "300", None, "300", "300"]),
        ("avg(service_percentile{p='99'}) / 2", ["100"]),
        ("service_cpm garbage is ignored", ["10", "20", None, "40", "50"]),
    ],
)
async def test_an_expression_comes_to(expression: str, expected: list[str | None]):
    result = await ask(expression)
    assert result["error"] is None
    assert shown(result) == [expected]


async def test_what_is_selected_keeps_its_time_and_what_is_calculated_has_none():
    times = {name: (await ask(f"{name}(service_cpm)"))["results"][0]["values"][0]["id"] for name in ("max", "avg")}
    assert times == {"max": str(int((NOW - timedelta(minutes=6)).timestamp()) * 1000), "avg": None}


async def test_percentiles_are_rows_with_labels():
    result = await ask("relabels(service_percentile{p='50,99'}, p='50,99', quantile='median,worst')")
    assert [row["metric"]["labels"] for row in result["results"]] == [
        [{"key": "quantile", "value": "median"}],
        [{"key": "quantile", "value": "worst"}],
    ]
    assert shown(result) == [["100", "100", None, "100", "100"], ["200", "200", None, "200", "200"]]


async def test_rows_are_sorted_by_their_labels():
    result = await ask("sort_label_values(service_percentile{p='50,75,99'}, DES, p)")
    assert [row["metric"]["labels"][0]["value"] for row in result["results"]] == ["99", "75", "50"]


async def test_rows_with_the_same_labels_meet():
    result = await ask("service_percentile{p='50,99'} - service_percentile{p='99'}")
    assert shown(result) == [[None] * 5, ["0", "0", None, "0", "0"]]


async def test_the_first_generation_has_one_label_of_positions():
    result = await ask("relabels(service_percentile{_='0,4'}, _='50,99')", version="9.6.0")
    assert [row["metric"]["labels"] for row in result["results"]] == [
        [{"key": "_", "value": "50"}],
        [{"key": "_", "value": "99"}],
    ]


async def test_services_are_ranked_where_none_is_given_and_children_where_one_is():
    ranked = await ask("top_n(service_cpm, 5, des)", service=None)
    assert ranked["type"] == "SORTED_LIST"
    assert [(value["id"], value["value"]) for value in ranked["results"][0]["values"]] == [
        ("canary", "30"),
        ("stable", "7"),
    ]
    endpoints = await ask("top_n(endpoint_cpm, 1, asc)")
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
        ("aggregate_labels(service_cpm, sum)", "The result of expression [service_cpm] is not a labeled result."),
        ("service_cpm)", None),
        ("round(service_cpm)", "line 1:17 mismatched input ')' expecting ','"),
        ("avg service_cpm)", "line 1:4 mismatched input 'service_cpm' expecting '('"),
        ("avg(service_cpm]", "line 1:15 mismatched input ']' expecting ')'"),
        ("avg(service_cpm x)", "line 1:16 extraneous input 'x' expecting ')'"),
        ("service_percentile{p=50}", "line 1:21 mismatched input '50' expecting VALUE_STRING"),
        ("top_n(service_cpm, 3, up)", "line 1:22 mismatched input 'up' expecting {ASC, DES}"),
        ("service_cpm +\n -", "line 2:1 mismatched input '-' expecting {'(', 'avg',"),
        (
            "aggregate_labels(service_percentile, count)",
            "line 1:37 mismatched input 'count' expecting {'avg', 'max', 'min', 'sum'}",
        ),
    ],
)
async def test_what_is_refused_says_why(expression: str, error: str | None):
    told = (await ask(expression))["error"]
    assert (told or "").startswith(error or "")
    assert (told is None) == (error is None)


async def test_a_locale_can_write_a_decimal_comma():
    assert shown(await ask("avg(service_cpm)/7", decimal_comma=True)) == [["4,286"]]


async def test_an_instances_metric_of_the_vanilla_service():
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
def test_numbers_are_written_by_decimal_format(value: float, text: str):
    assert decimal_format(value) == text


@given(st.text(alphabet="avgsumround(),+-*/%<>=!{}'\"._pbool 0123456789\n&", max_size=60))
def test_any_text_is_an_expression_or_a_syntax_error(text: str):
    for version in ("9.6.0", "10.1.0"):
        language = select_version(version).mqe
        assert language is not None
        with suppress(MqeSyntaxError):
            parse(text, language)


def test_an_endless_nest_is_refused():
    language = select_version("10.1.0").mqe
    assert language is not None
    with pytest.raises(MqeSyntaxError, match="nested too deeply"):
        parse("(" * 5_000, language)


@given(calls=st.integers(1, 300), failed=st.data())
def test_successes_can_be_counted_back_from_the_success_rate(calls: int, failed: st.DataObject):
    failures = failed.draw(st.integers(0, calls))
    whole = distribute(Calls(calls, failures, (50, 70), (), (), 500), calls).whole
    sla = METRICS["service_sla"].value(whole, 1)
    assert whole.successes == calls - failures
    assert -(-sla * calls // 10_000) == whole.successes  # rounded up: OAP truncates
