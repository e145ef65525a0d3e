"""Buckets as a chart: absent minutes are seen, and every width has one."""

from datetime import UTC, datetime, timedelta

import pytest

from skywalking_provider.model import Window
from skywalking_provider.queries.series import Bucket
from skywalking_provider.support.formatting import json_lines, query_lines, truncate_lines
from skywalking_provider.tools.check.buckets import Row
from skywalking_provider.tools.check.text_chart import draw_chart
from skywalking_provider.tools.check.text_report import wrap_lines

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def drawn(*buckets: Bucket, name: str = "service_cpm", entity: str = "", width: int = 80) -> list[str]:
    times = tuple(NOON + at * MINUTE for at in range(len(buckets)))
    row = Row(name, entity, tuple(buckets), times)
    return [line.plain for line in draw_chart([row], Window(NOON, NOON + len(buckets) * MINUTE), width)]


def test_few_minutes_have_a_cell_each_and_an_absent_one_no_number() -> None:
    assert drawn(60, None, 0, 30) == [
        "               12:00  12:01  12:02  12:03",
        "service_cpm    ██ 60   ·· –   ▁▁ 0  ▅▅ 30",
    ]


def test_cells_go_on_in_a_second_band_where_they_do_not_fit() -> None:
    assert drawn(1, 2, 3, 4, width=34) == [
        "               12:00  12:01",
        "service_cpm     ▃▃ 1   ▅▅ 2",
        "               12:02  12:03",
        "service_cpm     ▆▆ 3   ██ 4",
    ]


def test_many_minutes_are_a_line_with_their_range_and_how_many_are_absent() -> None:
    assert drawn(*[10, 20, None, 5] * 5) == [
        "service_cpm  12:00 ▅█·▃▅█·▃▅█·▃▅█·▃▅█·▃ 12:19  5..20, 5 of 20 absent",
    ]


def test_a_line_goes_on_below_where_it_does_not_fit() -> None:
    lines = drawn(*[7] * 100, width=60)

    assert [line.strip() for line in lines] == [
        f"service_cpm  12:00 {'█' * 33} 12:32",
        f"12:33 {'█' * 33} 13:05",
        f"13:06 {'█' * 33} 13:38",
        "13:39 █ 13:39  7",
    ]
    assert len({line.index("█") for line in lines}) == 1


@pytest.mark.parametrize("count", [1, 12, 13, 500])
@pytest.mark.parametrize("width", [50, 87, 200])
def test_no_line_is_wider_than_it_may_be(count: int, width: int) -> None:
    lines = drawn(*[12345, None] * (count // 2), 1, width=width)

    assert max(map(len, lines)) <= width


def test_what_is_no_number_and_what_is_nothing_are_told_apart() -> None:
    assert drawn("NaN", None)[1].split() == ["service_cpm", "??", "NaN", "··", "–"]
    assert drawn(*[None] * 20)[0].endswith("no value, 20 of 20 absent")


def test_lists_with_names_and_single_values_are_shown_without_minutes() -> None:
    rows = [Row("top", "reviews", (4, 2), ids=("a", "bc")), Row("avg", "reviews", (9800,)), Row("none", "reviews", ())]

    assert [line.plain for line in draw_chart(rows, Window(NOON, NOON + MINUTE), 80)] == [
        "reviews",
        "top   a   ██ 4",
        "      bc  ▅▅ 2",
        "avg   9800",
        "none  no value",
    ]


def test_a_long_name_is_cut() -> None:
    assert "…" in drawn(1, name="x" * 200)[1]


def test_json_is_on_one_line_where_it_fits() -> None:
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


def test_a_query_of_ours_has_a_line_a_field_and_an_authors_stays_as_it_is() -> None:
    assert query_lines("query q($d: D!) { a: x(d: $d) { y } b }") == [
        "query q($d: D!) {", "  a: x(d: $d) { y }", "  b", "}",
    ]  # fmt: skip
    assert query_lines("\n    query {\n      a\n    }\n") == ["query {", "  a", "}"]


def test_long_lines_go_on_indented_and_many_lines_end_with_the_way_to_the_rest() -> None:
    assert wrap_lines(["  one two three", "x" * 12], 10) == ["  one two", "    three", "x" * 10, "  xx"]
    assert truncate_lines(["a"] * 5, 3, "all: -o wide") == ["a", "a", "… 3 more lines; all: -o wide"]
