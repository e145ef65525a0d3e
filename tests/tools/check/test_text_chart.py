"""Tests of the chart in text and of the layout of JSON and GraphQL."""

from datetime import UTC, datetime, timedelta

import pytest

from skywalking_provider.model import Window
from skywalking_provider.queries.series import Bucket
from skywalking_provider.support.formatting import json_lines, query_lines, truncate_lines
from skywalking_provider.tools.check.chart_rows import ChartRow
from skywalking_provider.tools.check.text_chart import draw_chart
from skywalking_provider.tools.check.text_report import wrap_lines

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def draw(*buckets: Bucket, name: str = "service_cpm", entity: str = "", width: int = 80) -> list[str]:
    times = tuple(NOON + at * MINUTE for at in range(len(buckets)))
    row = ChartRow(name, entity, tuple(buckets), times)
    return [line.plain for line in draw_chart([row], Window(NOON, NOON + len(buckets) * MINUTE), width)]


def test_chart_short_window_has_cells_and_absent_minute_has_no_number() -> None:
    assert draw(60, None, 0, 30) == [
        "               12:00  12:01  12:02  12:03",
        "service_cpm    ██ 60   ·· –   ▁▁ 0  ▅▅ 30",
    ]


def test_chart_cells_beyond_width_continue_in_second_band() -> None:
    assert draw(1, 2, 3, 4, width=34) == [
        "               12:00  12:01",
        "service_cpm     ▃▃ 1   ▅▅ 2",
        "               12:02  12:03",
        "service_cpm     ▆▆ 3   ██ 4",
    ]


def test_chart_long_window_is_line_with_range_and_absent_count() -> None:
    assert draw(*[10, 20, None, 5] * 5) == [
        "service_cpm  12:00 ▅█·▃▅█·▃▅█·▃▅█·▃▅█·▃ 12:19  5..20, 5 of 20 absent",
    ]


def test_chart_line_beyond_width_continues_below() -> None:
    lines = draw(*[7] * 100, width=60)

    assert [line.strip() for line in lines] == [
        f"service_cpm  12:00 {'█' * 33} 12:32",
        f"12:33 {'█' * 33} 13:05",
        f"13:06 {'█' * 33} 13:38",
        "13:39 █ 13:39  7",
    ]
    assert len({line.index("█") for line in lines}) == 1


@pytest.mark.parametrize("count", [1, 12, 13, 500])
@pytest.mark.parametrize("width", [50, 87, 200])
def test_chart_lines_never_exceed_width(count: int, width: int) -> None:
    lines = draw(*[12345, None] * (count // 2), 1, width=width)

    assert max(map(len, lines)) <= width


def test_chart_nan_and_absent_buckets_are_drawn_differently() -> None:
    assert draw("NaN", None)[1].split() == ["service_cpm", "??", "NaN", "··", "–"]
    assert draw(*[None] * 20)[0].endswith("no value, 20 of 20 absent")


def test_chart_rankings_and_single_values_have_no_minutes() -> None:
    rows = [
        ChartRow("top", "reviews", (4, 2), ids=("a", "bc")),
        ChartRow("avg", "reviews", (9800,)),
        ChartRow("none", "reviews", ()),
    ]

    assert [line.plain for line in draw_chart(rows, Window(NOON, NOON + MINUTE), 80)] == [
        "reviews",
        "top   a   ██ 4",
        "      bc  ▅▅ 2",
        "avg   9800",
        "none  no value",
    ]


def test_chart_long_name_is_truncated() -> None:
    assert "…" in draw(1, name="x" * 200)[1]


def test_json_lines_short_values_stay_on_one_line() -> None:
    assert json_lines({"a": [1, 2], "b": {}}, 80) == ['{"a": [1, 2], "b": {}}']
    assert json_lines({"a": [1] * 8, "b": [{"c": 1}, {"c": 2}]}, 20) == [
        "{",
        '  "a": [',
        "    1, 1, 1, 1, 1,",
        "    1, 1, 1",
        "  ],",
        '  "b": [',
        '    {"c": 1},',
        '    {"c": 2}',
        "  ]",
        "}",
    ]


def test_query_lines_splits_generated_queries_and_keeps_authors_layout() -> None:
    assert query_lines("query q($d: D!) { a: x(d: $d) { y } b }") == [
        "query q($d: D!) {", "  a: x(d: $d) { y }", "  b", "}",
    ]  # fmt: skip
    assert query_lines("\n    query {\n      a\n    }\n") == ["query {", "  a", "}"]


def test_wrap_lines_indents_continuations_and_truncate_lines_appends_hint() -> None:
    assert wrap_lines(["  one two three", "x" * 12], 10) == ["  one two", "    three", "x" * 10, "  xx"]
    assert truncate_lines(["a"] * 5, 3, "all: -o wide") == ["a", "a", "… 3 more lines; all: -o wide"]
