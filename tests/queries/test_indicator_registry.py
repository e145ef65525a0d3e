"""Every indicator name has an implementation and a row in the documentation."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Entity, EntitySet, Window
from skywalking_provider.queries.indicators.base import BucketValue
from skywalking_provider.queries.indicators.metric_names import resolve_scope_metrics
from skywalking_provider.queries.indicators.registry import INDICATORS, indicator_for

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[2] / "docs" / "block.md"


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
    window = Window(NOON, NOON + len(rows) * timedelta(minutes=1))

    assert INDICATORS[name].compute(rows, window) == pytest.approx(float(result))


def table_row(name: IndicatorName) -> list[str]:
    """Return the cells of an indicator's row, without its name."""
    row = re.search(rf"^\| `{name.value}` \| (.+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert row, f"docs/block.md has no row for {name.value}"
    return row[1].split(" | ")
