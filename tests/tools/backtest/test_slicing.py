"""Tests of responses that are cut from chunks and joined."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.tools.backtest.series_key import is_bucketwise, reads_buckets
from skywalking_provider.tools.backtest.slicing import (
    UnslicableError,
    cut,
    cut_expression,
    find_first_buckets,
    join,
    join_expressions,
)


def v2(numbers: list[int], label: str = "") -> dict[str, Any]:
    return {"label": label, "values": {"values": [{"id": str(at), "value": one} for at, one in enumerate(numbers)]}}


def mqe(numbers: list[str | None], **labels: str) -> dict[str, Any]:
    metric = {"labels": [{"key": key, "value": value} for key, value in labels.items()]}
    return {"metric": metric, "values": [{"id": str(at), "value": one} for at, one in enumerate(numbers)]}


def expression(*results: dict[str, Any]) -> dict[str, Any]:
    return {"type": "TIME_SERIES_VALUES", "error": None, "results": list(results)}


@given(st.lists(st.integers(0, 9), min_size=2, max_size=40), st.data())
def test_a_cut_response_is_that_of_its_buckets_whatever_the_aliases(numbers: list[int], data: Any) -> None:
    first = data.draw(st.integers(0, len(numbers) - 1))
    last = data.draw(st.integers(first + 1, len(numbers)))
    whole = {"a": v2(numbers), "b": [v2(numbers, "0"), v2(numbers, "1")]}

    piece = cut(whole, first, last, len(numbers))

    values = [one["value"] for one in piece["a"]["values"]["values"]]
    assert values == numbers[first:last]
    assert [one["label"] for one in piece["b"]] == ["0", "1"]
    assert [len(one["values"]["values"]) for one in piece["b"]] == [last - first] * 2


@given(st.lists(st.integers(0, 9), min_size=4, max_size=40), st.data())
def test_joined_pieces_are_the_response_that_they_were_cut_from(numbers: list[int], data: Any) -> None:
    middle = data.draw(st.integers(1, len(numbers) - 1))
    whole = {"a": v2(numbers)}
    pieces = cut(whole, 0, middle, len(numbers)), cut(whole, middle, len(numbers), len(numbers))

    assert join(*pieces) == whole


def test_responses_that_differ_outside_of_their_buckets_are_not_joined() -> None:
    with pytest.raises(UnslicableError):
        join({"average": 8}, {"average": 9})
    with pytest.raises(UnslicableError):
        join(cut([v2([1, 2], "0")], 0, 2, 2), [])


def test_joined_expressions_have_absent_buckets_for_a_label_that_a_part_lacks() -> None:
    one, other = expression(mqe(["1", "2"], p="50")), expression(mqe(["3"], p="99"))

    joined = join_expressions([(cut_expression(one, 0, 2), 2), (cut_expression(other, 0, 1), 1)])

    by_label = {
        one["metric"]["labels"][0]["value"]: [value["value"] for value in one["values"]] for one in joined["results"]
    }
    assert by_label == {"50": ["1", "2", None], "99": [None, None, "3"]}


def test_first_buckets_are_those_with_a_value() -> None:
    assert list(find_first_buckets({"a": v2([0, 0, 3, 4])}, 0)) == [2]
    assert list(find_first_buckets(expression(mqe([None, "0", "5", "6"])), 3)) == [3]
    assert list(find_first_buckets(expression(), 0)) == []


@pytest.mark.parametrize(
    ("text", "bucketwise"),
    [
        ("service_cpm", True),
        ("service_sla / 100", True),
        ("round(service_percentile{p='99'}, 1)", True),
        ("avg(service_cpm)", False),
        ("service_cpm - avg(service_cpm)", False),
        ("rate(service_cpm)", False),
        ("top_n(endpoint_cpm, 3, des)", False),
    ],
)
def test_expressions_whose_buckets_depend_on_the_window_are_not_cut(text: str, bucketwise: bool) -> None:
    assert is_bucketwise(text) is bucketwise


@pytest.mark.parametrize(
    ("reads", "buckets"),
    [
        ("readMetricsValues(condition: {name: a}, duration: $duration) { label }", True),
        ('execExpression(expression: "service_cpm", entity: $e, duration: $duration) { type }', True),
        ('execExpression(expression: "avg(service_cpm)", entity: $e, duration: $duration) { type }', False),
        ("execExpression(expression: $x, entity: $e, duration: $duration) { type }", False),
        ("readMetricsValue(condition: {name: a}, duration: $duration)", False),
        ("sortMetrics(condition: {name: a}, duration: $duration) { name }", False),
    ],
)
def test_queries_with_other_reads_than_series_are_not_cut(reads: str, buckets: bool) -> None:
    assert reads_buckets(f"query q($duration: Duration!) {{ a: {reads} }}") is buckets


def test_a_query_with_a_fragment_is_not_cut() -> None:
    assert not reads_buckets("query q($duration: Duration!) { ...f } fragment f on Query { a: readMetricsValues }")
