"""Series of unchecked responses: values, zeros and absent buckets stay distinct. Names and numbers for messages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.model import Entity
from skywalking_provider.queries.graphql.unchecked import extract_series
from skywalking_provider.queries.series import Series, format_labels, format_number, named_series

VALUES = {"values": {"values": [{"value": 9000}, {"value": 0}]}}


@pytest.mark.parametrize(
    ("field", "buckets"),
    [
        (VALUES, (9000, 0)),
        ({"label": None, "values": {"values": [{"value": 0, "isEmptyValue": True}, {"value": 5}]}}, (None, 5)),
        ({"values": {"values": []}}, ()),
        ([], ()),
        (None, ()),
        (350, (350,)),
        ({"value": 0, "isEmptyValue": True}, (None,)),
        ({"value": 0, "isEmptyValue": False}, (0,)),
        ({"type": "SINGLE_VALUE", "error": None, "results": [{"values": [{"value": "8.571"}]}]}, (8.571,)),
        ({"results": [{"values": [{"value": None}, {"value": "12"}]}]}, (None, 12)),
        ({"results": [{"values": [{"value": "NaN"}]}]}, ("NaN",)),
        ({"results": []}, ()),
    ],
)
def test_unchecked_response_of_each_shape_has_its_series(field: object, buckets: tuple[object, ...]) -> None:
    assert extract_series({"read": field}) == [Series("read", buckets)]


@pytest.mark.parametrize("field", ["9.7.0", [{"id": "x", "name": "y"}], {"timezone": "+0000"}, True])
def test_field_that_is_not_a_metric_has_no_series(field: object) -> None:
    assert extract_series({"version": field}) == []


def test_labeled_response_has_a_series_for_each_label() -> None:
    empty = {"values": {"values": []}}
    labeled = [{"label": "{p=50}", **VALUES}, {"label": "{p=99}", **empty}]
    results = [
        {"metric": {"labels": [{"key": "p", "value": label}]}, "values": values}
        for label, values in (("50", [{"value": "1"}]), ("99", [{"value": None}]))
    ]

    assert extract_series({"v2": labeled, "mqe": {"results": results}}) == [
        Series("v2 {p=50}", (9000, 0)),
        Series("v2 {p=99}", ()),
        Series("mqe p=50", (1,)),
        Series("mqe p=99", (None,)),
    ]


@pytest.mark.parametrize("field", [{"results": None}, {"values": None}, {"values": {"values": None}}])
def test_null_instead_of_a_metric_is_an_empty_series(field: object) -> None:
    assert extract_series({"read": field}) == [Series("read", ())]


def test_values_without_selected_value_field_have_no_series() -> None:
    assert extract_series({"read": {"values": {"values": [{"id": "a"}]}}}) == []


@pytest.mark.parametrize(
    ("field", "buckets"),
    [
        (True, None),
        (2.5, (2.5,)),
        ({"value": "12", "isEmptyValue": False}, (12,)),
        ({"value": "9007199254740993", "isEmptyValue": False}, (9_007_199_254_740_993,)),  # not a float
        ([{"values": {"values": [{"value": 1}, {"value": 0}]}}], (1, 0)),
        ([{"values": {"values": [{"value": True}]}}], (None,)),
        # An alias such as `values` does not hide a value.
        ({"value": 5, "isEmptyValue": False, "values": None}, (5,)),
        ({"value": 0, "isEmptyValue": True, "results": None}, (None,)),
        ({"value": "1.5", "isEmptyValue": False}, (1.5,)),
        ({"value": "NaN", "isEmptyValue": False}, ("NaN",)),
        ({"value": True, "isEmptyValue": False}, (None,)),
        ({"results": [{"values": [{"value": "1"}, {"value": True}]}]}, (1, None)),
        ({"results": [{"values": None}]}, ()),
        ({"results": ["x"]}, ()),
        ({"results": [{"values": [{"value": "1"}, {"id": "a"}]}]}, None),
        ({"results": [{"values": ["x"]}]}, None),
        ({"values": {"values": [{"isEmptyValue": True}, {"alias": 4, "isEmptyValue": False}]}}, (None, 4)),
        ({"values": {"values": [{"isEmptyValue": False}]}}, (0,)),
        # Aliases of the author: the objects with `isEmptyValue` are buckets, in the order of the response.
        ({"a": [{"v": 1, "isEmptyValue": False}], "b": {"v": 2, "isEmptyValue": True}}, (1, None)),
        ([{"x": {"v": 1, "isEmptyValue": False}}, {"x": {"t": None, "v": 3, "isEmptyValue": False}}], (1, 3)),
        ({"a": [{"v": 1}]}, None),
    ],
)
def test_field_of_another_shape_has_the_buckets_that_are_marked(
    field: object, buckets: tuple[object, ...] | None
) -> None:
    assert extract_series({"read": field}) == ([] if buckets is None else [Series("read", buckets)])


def test_labels_of_a_list_are_optional() -> None:
    labeled = [{"label": "50", **VALUES}, VALUES, {"label": "", **VALUES}]

    assert [(one.name, one.buckets) for one in extract_series({"a": labeled})] == [
        ("a 50", (9000, 0)),
        ("a", (9000, 0)),
        ("a", (9000, 0)),
    ]


def test_results_without_labels_have_the_name_of_the_read() -> None:
    results = [{"values": [{"value": "1"}]}, {"metric": None, "values": [{"value": "2"}]}]

    assert extract_series({"a": {"results": results}}) == [Series("a", (1,)), Series("a", (2,))]


@pytest.mark.parametrize(("label", "name"), [("", "cpm"), ("p=99", "cpm p=99")])
def test_series_is_named_after_its_read_and_its_label(label: str, name: str) -> None:
    series = named_series("cpm", label, (1, None, 0))

    assert (series.name, series.read_name, series.buckets) == (name, "cpm", (1, None, 0))
    assert series.present == (1, 0)


@pytest.mark.parametrize(
    ("entity", "title"),
    [(None, "cpm"), (Entity("reviews"), "cpm"), (Entity("reviews", instance="pod-1"), "cpm pod-1")],
)
def test_title_of_series_tells_instances_apart(entity: Entity | None, title: str) -> None:
    assert Series("cpm", (), entity=entity).title == title


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"metric": {"labels": [{"key": "p", "value": "99"}]}}, "p=99"),
        ({"metric": {"labels": [{"key": "p", "value": "99"}, "x", {"key": "code", "value": "200"}]}}, "p=99,code=200"),
        ({"metric": {"labels": []}}, ""),
        ({"metric": {"labels": None}}, ""),
        ({"metric": None}, ""),
        (None, ""),
    ],
)
def test_labels_of_a_result_are_written_as_pairs(result: object, text: str) -> None:
    assert format_labels(result) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (5.0, "5"),
        (2 / 3, "0.666667"),
        (123456.789, "123457"),
        (1234567.0, "1234567"),
        (123_456_789, "123456789"),
        (-999_999_999, "-999999999"),
        (1_000_000_000, "1000000000"),
        (10_000_000_001, "10000000001"),
        (1e9, "1000000000.0"),
        (10**23, "1" + "0" * 23),
        (10**24, "1" + "0" * 23 + "…"),
        (-(10**23), "-1" + "0" * 22 + "…"),
    ],
)
def test_number_is_written_out_if_it_is_whole_and_rounded_if_it_is_a_fraction(number: float, text: str) -> None:
    assert format_number(number) == text


@given(st.integers(-(10**22), 10**22))
def test_whole_number_up_to_24_characters_is_written_exactly(number: int) -> None:
    assert int(format_number(number)) == number


@given(st.floats(-1e9, 1e9))
def test_formatted_fraction_has_six_significant_digits(number: float) -> None:
    assert math.isclose(float(format_number(number)), number, rel_tol=5e-6)
