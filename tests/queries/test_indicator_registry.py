"""Every indicator name has an implementation and a row in the documentation."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Entity, EntitySet, Window
from skywalking_provider.queries.indicators.base import BucketValue, JudgedIndicator
from skywalking_provider.queries.indicators.metric_names import MetricMeaning, resolve_scope_metrics
from skywalking_provider.queries.indicators.registry import (
    INDICATORS,
    Apdex,
    AverageLatency,
    SuccessRate,
    indicator_for,
    judged_indicator_for,
)
from skywalking_provider.queries.sides import SideMinute

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[2] / "docs" / "block.md"
ROWS = st.lists(st.builds(BucketValue, st.integers(0, 9), st.integers(1, 10_000), st.integers(0, 10_000)), min_size=1)


def window_of(buckets: int) -> Window:
    return Window(NOON, NOON + buckets * timedelta(minutes=1))


@pytest.mark.parametrize("name", IndicatorName)
def test_indicator_name_has_an_implementation_with_metrics_of_a_service(name: IndicatorName) -> None:
    indicator = INDICATORS[name]

    assert indicator.name is name
    assert indicator.label == name.value
    assert indicator.metrics(resolve_scope_metrics(EntitySet((Entity("any"),))))


def test_latency_with_a_percentile_selects_the_series_of_that_percentile() -> None:
    indicator = indicator_for(IndicatorName.LATENCY, 99)

    assert (indicator.label, indicator.percentile) == ("latency p99", 99)


@pytest.mark.parametrize("name", IndicatorName)
def test_table_of_indicators_has_a_row_with_the_unit_of_each(name: IndicatorName) -> None:
    assert table_row(name)[0] == name.unit


@pytest.mark.parametrize("name", IndicatorName)
def test_example_of_each_indicator_in_the_table_is_what_it_computes(name: IndicatorName) -> None:
    minutes, _, result = table_row(name)[-1].partition(" → ")
    pairs = [[int(number) for number in minute.split(" × ")] for minute in minutes.split(", ")]
    rows = [BucketValue(bucket, pair[0], float(pair[-1])) for bucket, pair in enumerate(pairs)]

    assert INDICATORS[name].compute(rows, window_of(len(rows))) == pytest.approx(float(result))


@pytest.mark.parametrize("aggregate", [None, "highest"])
@given(rows=ROWS)
def test_percentile_is_that_of_the_worst_minute_unless_it_is_weighted(
    aggregate: str | None, rows: list[BucketValue]
) -> None:
    result = indicator_for(IndicatorName.LATENCY, 99, aggregate).compute(rows, window_of(10))

    assert any(row.value == result for row in rows)
    assert all(row.value <= result for row in rows)


def test_slow_minute_decides_the_percentile_whichever_minute_it_is() -> None:
    minutes = [BucketValue(0, 100, 20), BucketValue(1, 1, 900), BucketValue(2, 100, 30)]

    for rows in (minutes, minutes[1:] + minutes[:1], minutes[::-1]):
        assert indicator_for(IndicatorName.LATENCY, 99).compute(rows, window_of(3)) == 900


@given(ROWS)
def test_weighted_percentile_is_between_the_lowest_and_the_highest_minute(rows: list[BucketValue]) -> None:
    weighted = indicator_for(IndicatorName.LATENCY, 99, "weighted")

    result = weighted.compute(rows, window_of(10))

    assert result == pytest.approx(INDICATORS[IndicatorName.LATENCY].compute(rows, window_of(10)))
    assert min(row.value for row in rows) <= result + 1e-6
    assert result - 1e-6 <= max(row.value for row in rows)


def test_weighted_percentile_counts_the_calls_of_each_minute() -> None:
    rows = [BucketValue(0, 1, 400), BucketValue(1, 3, 100)]

    assert indicator_for(IndicatorName.LATENCY, 99, "weighted").compute(rows, window_of(2)) == 175


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        ([(1000, 9990)], "0.999"),
        ([(1000, 9990), (1000, 9970)], "0.998"),
        # A ratio of 20,000 calls stands for two numbers of successful ones.
        ([(20_000, 9999)], "0.9999 (at most 0.99995)"),
        ([(20_000, 9999), (20_000, 9999)], "0.9999 (at most 0.99995)"),
        ([(20_000, 10_000)], "1"),
    ],
)
def test_success_rate_is_formatted_with_its_highest_value_if_rounding_leaves_a_range(
    minutes: list[tuple[int, int]], text: str
) -> None:
    rate = INDICATORS[IndicatorName.SUCCESS_RATE]
    rows = [BucketValue(bucket, calls, sla) for bucket, (calls, sla) in enumerate(minutes)]

    assert rate.format_result(rows, rate.compute(rows, window_of(len(rows)))) == text


@given(ROWS, st.sampled_from([IndicatorName.APDEX, IndicatorName.LATENCY, IndicatorName.THROUGHPUT]))
def test_other_results_are_formatted_as_numbers(rows: list[BucketValue], name: IndicatorName) -> None:
    assert INDICATORS[name].format_result(rows, 12345.678) == "12345.7"


@pytest.mark.parametrize(
    ("name", "percentile", "meaning", "metrics"),
    [
        (IndicatorName.SUCCESS_RATE, None, MetricMeaning.SUCCESS_RATE, ("service_sla",)),
        (IndicatorName.APDEX, None, MetricMeaning.APDEX, ("service_apdex",)),
        (IndicatorName.LATENCY, None, MetricMeaning.LATENCY, ("service_resp_time",)),
        (IndicatorName.LATENCY, 99, MetricMeaning.PERCENTILE, ("service_percentile",)),
        (IndicatorName.THROUGHPUT, None, MetricMeaning.CALLS, ("service_cpm",)),
    ],
)
def test_indicator_reads_the_metric_of_its_meaning(
    name: IndicatorName, percentile: int | None, meaning: MetricMeaning, metrics: tuple[str, ...]
) -> None:
    indicator = indicator_for(name, percentile)

    assert (indicator.meaning, indicator.needs_values) == (meaning, meaning is not MetricMeaning.CALLS)
    assert indicator.metrics(resolve_scope_metrics(EntitySet((Entity("any"),)))) == metrics


def table_row(name: IndicatorName) -> list[str]:
    """Return the cells of an indicator's row, without its name."""
    row = re.search(rf"^\| `{name.value}` \| (.+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert row, f"docs/block.md has no row for {name.value}"
    return row[1].split(" | ")


@pytest.mark.parametrize("name", sorted(set(IndicatorName) - {IndicatorName.THROUGHPUT}))
def test_indicator_can_be_judged(name: IndicatorName) -> None:
    assert judged_indicator_for(name).name is name


def test_percentile_can_be_judged_and_throughput_cannot() -> None:
    assert judged_indicator_for(IndicatorName.LATENCY, 99).percentile == 99
    with pytest.raises(ValueError, match=r"^throughput cannot be judged$"):
        judged_indicator_for(IndicatorName.THROUGHPUT)


@pytest.mark.parametrize(
    ("indicator", "rows", "summary", "value"),
    [
        (SuccessRate(), [(120, 9916), (121, 9500)], SideMinute(241, 7, 7), 1 - 7 / 241),
        (SuccessRate(), [(25_000, 9998)], SideMinute(25_000, 3, 5), 1 - 5 / 25_000),
        (Apdex(), [(100, 9000), (50, 8000)], SideMinute(150, 19.985, 20), 1 - 20 / 150),
        (Apdex(), [(100, 10_000)], SideMinute(100, 0, 0), 1),
        (AverageLatency(), [(1, 100), (3, 200)], SideMinute(4, 175, 175), 175),
        (judged_indicator_for(IndicatorName.LATENCY, 99), [(7, 300)], SideMinute(7, 300, 300), 300),
    ],
)
def test_minute_to_judge_has_the_sums_of_the_entities(
    indicator: JudgedIndicator, rows: list[tuple[int, int]], summary: SideMinute, value: float
) -> None:
    minute = indicator.summarize_minute([BucketValue(0, calls, number) for calls, number in rows])

    assert minute == summary
    assert indicator.chart_value(minute) == pytest.approx(value)
