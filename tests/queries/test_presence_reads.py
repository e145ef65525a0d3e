"""Absent buckets of V2 reads, decoded from the presence reads that the rewrite added."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Window
from skywalking_provider.queries.graphql.metric_read import MetricRead
from skywalking_provider.queries.graphql.presence import series_with_absent_buckets
from skywalking_provider.queries.graphql.response_shape import Field
from skywalking_provider.queries.series import Series

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = Window(NOON, NOON + timedelta(minutes=2))
NO_SHAPE = cast("Field", None)  # the shape of the author's selection does not matter here
BUCKETS = st.lists(st.tuples(st.integers(0, 10**6), st.booleans()))


def read(kind: str, presence: str | None = "p", calls: str | None = None) -> MetricRead:
    return MetricRead(kind, NO_SHAPE, "service_sla", presence, calls)


def values(*numbers: int, empty: tuple[bool, ...] = ()) -> dict[str, Any]:
    marks = empty or (False,) * len(numbers)
    return {
        "values": {"values": [{"value": one, "isEmptyValue": mark} for one, mark in zip(numbers, marks, strict=True)]}
    }


@given(BUCKETS)
def test_bucket_that_oap_marks_as_empty_is_absent(buckets: list[tuple[int, bool]]) -> None:
    data = {"p": values(*(one for one, _ in buckets), empty=tuple(mark for _, mark in buckets))}

    series = series_with_absent_buckets("sla", read("readMetricsValues"), WINDOW, data)

    assert series == [Series("sla", tuple(None if mark else one for one, mark in buckets))]
    assert series[0].read_name == "sla"


@given(BUCKETS)
def test_bucket_without_calls_is_absent_on_an_oap_that_marks_none(buckets: list[tuple[int, bool]]) -> None:
    """Such an OAP returns 0 for an absent bucket, and so for its calls."""
    data = {"p": values(*(one for one, _ in buckets)), "c": values(*(7 if called else 0 for _, called in buckets))}

    series = series_with_absent_buckets("sla", read("readMetricsValues", calls="c"), WINDOW, data)

    assert series == [Series("sla", tuple(one if called else None for one, called in buckets))]


def test_labeled_read_has_a_series_for_each_label_with_the_same_absent_buckets() -> None:
    labeled = [values(9, 8) | {"label": "50"}, values(7, 6) | {"label": "99"}, values(5, 4)]
    data = {"p": labeled, "c": values(0, 3)}

    assert series_with_absent_buckets("pct", read("readLabeledMetricsValues", calls="c"), WINDOW, data) == [
        Series("pct 50", (None, 8)),
        Series("pct 99", (None, 6)),
        Series("pct", (None, 4)),
    ]


def test_two_labels_are_parts_of_the_names() -> None:
    data = {"p": [values(9) | {"label": "50"}, values(8) | {"label": "99"}]}

    assert series_with_absent_buckets("pct", read("readLabeledMetricsValues"), WINDOW, data) == [
        Series("pct 50", (9,)),
        Series("pct 99", (8,)),
    ]


def test_single_label_is_not_part_of_the_name() -> None:
    data = {"p": [values(9) | {"label": "50"}]}

    assert series_with_absent_buckets("pct", read("readLabeledMetricsValues"), WINDOW, data) == [Series("pct", (9,))]


def test_labeled_read_without_a_series_is_one_empty_series() -> None:
    assert series_with_absent_buckets("pct", read("readLabeledMetricsValues"), WINDOW, {"p": []}) == [Series("pct", ())]


@pytest.mark.parametrize(
    ("presence", "calls", "value"),
    [
        ({"value": 5, "isEmptyValue": False}, None, 5),
        ({"value": 0, "isEmptyValue": False}, None, 0),
        ({"value": 0, "isEmptyValue": True}, None, None),
        (None, (0, 3), 4),
        (None, (0, 0), None),
        (None, (), None),
        (None, None, 4),
    ],
)
def test_single_value_is_absent_if_it_is_marked_or_no_bucket_has_calls(
    presence: dict[str, Any] | None, calls: tuple[int, ...] | None, value: int | None
) -> None:
    data: dict[str, Any] = {"apdex": 4, "p": presence} | ({} if calls is None else {"c": values(*calls)})
    metric_read = read("readMetricsValue", "p" if presence else None, None if calls is None else "c")

    assert series_with_absent_buckets("apdex", metric_read, WINDOW, data) == [Series("apdex", (value,))]


def test_buckets_and_calls_of_other_numbers_are_an_invalid_response() -> None:
    data = {"p": values(1, 2), "c": values(3)}

    with pytest.raises(ProviderError) as caught:
        series_with_absent_buckets("sla", read("readMetricsValues", calls="c"), WINDOW, data)

    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    assert "p is 2 buckets, and 1 of the calls" in str(caught.value)


@pytest.mark.parametrize(("kind", "field"), [("readMetricsValues", "p"), ("readLabeledMetricsValues", "p")])
def test_presence_read_of_another_shape_is_an_invalid_response(kind: str, field: str) -> None:
    with pytest.raises(ProviderError, match=f"{field} is 'x'"):
        series_with_absent_buckets("sla", read(kind), WINDOW, {field: "x"})
    with pytest.raises(ProviderError, match="c is missing"):
        series_with_absent_buckets(
            "sla", read(kind, calls="c"), WINDOW, {"p": values(1) if kind[4] == "M" else [values(1)]}
        )


@pytest.mark.parametrize("kind", ["readMetricsValues", "readLabeledMetricsValues"])
def test_read_of_the_window_with_a_bucket_of_another_one_is_an_invalid_response(kind: str) -> None:
    ids = [f"service_sla_{NOON + timedelta(minutes=at):%Y%m%d%H%M}_Y2FuYXJ5.1" for at in (1, 2)]  # 2 is after the end
    inside, outside = ({"values": {"values": [{"id": one, "value": 5}]}} for one in ids)
    whole = {"p": [inside, outside] if kind == "readLabeledMetricsValues" else outside}

    with pytest.raises(ProviderError, match="not for the requested window: p has the bucket") as caught:
        series_with_absent_buckets("sla", read(kind), WINDOW, whole)
    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    data = {"p": [inside] if kind == "readLabeledMetricsValues" else inside}
    assert series_with_absent_buckets("sla", read(kind), WINDOW, data) == [Series("sla", (5,))]
