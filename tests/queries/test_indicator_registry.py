"""Every indicator name has an implementation and a row in the documentation."""

import re
from pathlib import Path

import pytest

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Entity, EntitySet
from skywalking_provider.queries.indicators.metric_names import resolve_scope_metrics
from skywalking_provider.queries.indicators.registry import INDICATORS, indicator_for

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
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))

    assert rows.get(name.value) == name.unit
