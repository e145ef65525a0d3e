"""Series of unchecked responses: values, zeros and absent buckets stay distinct."""

import pytest

from skywalking_provider.queries.graphql.unchecked import extract_series
from skywalking_provider.queries.series import Series

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
