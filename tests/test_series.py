"""A value, a real zero, an absent bucket: three things that never mix."""

import pytest

from skywalking_provider.series import Series, errors_of, series_of

VALUES = {"values": {"values": [{"value": 9000}, {"value": 0}]}}


@pytest.mark.parametrize(
    ("field", "buckets"),
    [
        (VALUES, (9000, 0)),
        ({"label": None, "values": {"values": [{"value": 0, "isEmptyValue": True}, {"value": 5}]}}, (None, 5)),
        ({"values": {"values": []}}, ()),
        ([{"label": "{p=50}", **VALUES}, {"label": "{p=99}", **VALUES}], (9000, 0, 9000, 0)),
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
def test_every_form_of_an_answer_is_read(field: object, buckets: tuple[object, ...]) -> None:
    assert series_of({"read": field}) == [Series("read", buckets)]


@pytest.mark.parametrize("field", ["9.7.0", [{"id": "x", "name": "y"}], {"timezone": "+0000"}, True])
def test_what_is_no_metric_has_no_series(field: object) -> None:
    assert series_of({"version": field}) == []


def test_a_values_list_whose_values_were_not_selected_is_not_called_empty() -> None:
    assert series_of({"read": {"values": {"values": [{"id": "a"}]}}}) == []


def test_errors_beside_the_data_are_found() -> None:
    data = {"a": {"error": None, "results": []}, "b": {"error": "Metric: [x] does not exist.", "results": []}}

    assert list(errors_of(data)) == [("b", "Metric: [x] does not exist.")]
