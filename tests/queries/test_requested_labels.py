"""Labels that a V2 read or an expression requests, and the ones that the presence reads return."""

from typing import Any, cast

import pytest

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.queries.graphql.metric_read import MetricRead
from skywalking_provider.queries.graphql.presence import find_label_problem, series_with_absent_buckets
from skywalking_provider.queries.graphql.response_shape import Field
from skywalking_provider.queries.series import Series
from tests.queries.test_presence_reads import WINDOW, values

NO_SHAPE = cast("Field", None)  # the shape of the author's selection does not matter here


def read(*labels: str, metric: str | None = "service_percentile", calls: str | None = None) -> MetricRead:
    return MetricRead("readLabeledMetricsValues", NO_SHAPE, metric, "p", calls, labels=labels)


def labeled(**numbers: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return the response of a read: a series for each label, whose name begins with an underscore here."""
    return [values(*row) | {"label": label.removeprefix("_")} for label, row in numbers.items()]


def expression(*labels: tuple[str, str]) -> MetricRead:
    selected = tuple(("service_percentile", key, value) for key, value in labels)
    aliases = {"service_percentile": "l"}
    return MetricRead("execExpression", NO_SHAPE, label_reads=aliases, selected_labels=selected)


def metric_labels(*labels: tuple[str, str | None]) -> dict[str, Any]:
    results = [{"metric": {"labels": [{"key": key, "value": value}]}, "values": []} for key, value in labels]
    return {"l": {"type": "TIME_SERIES_VALUES", "results": [*results, {"metric": None, "values": []}]}}


def test_requested_labels_have_their_series_in_the_order_of_the_request() -> None:
    data = {"p": labeled(_0=(1, 2), _3=(5, 6), _4=(7, 8))}

    assert series_with_absent_buckets("pct", read("4", "0"), WINDOW, data) == [
        Series("pct 4", (7, 8)),
        Series("pct 0", (1, 2)),
    ]
    assert series_with_absent_buckets("pct", read("3"), WINDOW, data) == [Series("pct", (5, 6))]


@pytest.mark.parametrize("calls", [None, "c"])
def test_requested_label_without_data_has_no_buckets(calls: str | None) -> None:
    data = {"p": labeled(_0=(1, 2)), "c": values(3, 3)}

    assert series_with_absent_buckets("pct", read("4", "0", calls=calls), WINDOW, data) == [
        Series("pct 4", ()),
        Series("pct 0", (1, 2)),
    ]


def test_series_without_a_label_is_none_of_the_requested_ones() -> None:
    data = {"p": [*labeled(_0=(1, 2)), values(3, 4), values(5, 6) | {"label": "{p=4}"}]}

    assert series_with_absent_buckets("pct", read("4"), WINDOW, data) == [Series("pct", ())]


def test_bucket_whose_percentiles_are_all_zero_is_absent_on_an_oap_that_marks_none() -> None:
    """Such an OAP writes 0 for an absent percentile, and for one below 10 ms."""
    data = {"p": labeled(_0=(0, 0, 0, 9), _4=(0, 20, 0, 9)), "c": values(3, 3, 0, 0)}

    assert series_with_absent_buckets("pct", read(calls="c"), WINDOW, data) == [
        Series("pct 0", (None, 0, None, None)),
        Series("pct 4", (None, 20, None, None)),
    ]


def test_percentiles_that_were_not_requested_show_that_a_bucket_has_percentiles() -> None:
    data = {"p": labeled(_0=(0, 0), _4=(0, 20)), "c": values(3, 3)}

    assert series_with_absent_buckets("pct", read("0", calls="c"), WINDOW, data) == [Series("pct", (None, 0))]


def test_bucket_whose_percentiles_are_all_zero_is_present_on_an_oap_that_marks_absent_ones() -> None:
    assert series_with_absent_buckets("pct", read(), WINDOW, {"p": labeled(_0=(0,), _4=(0,))}) == [
        Series("pct 0", (0,)),
        Series("pct 4", (0,)),
    ]


def test_zero_of_a_metric_without_labels_is_a_value_beside_calls() -> None:
    metric_read = MetricRead("readMetricsValues", NO_SHAPE, "service_sla", "p", "c")

    assert series_with_absent_buckets("sla", metric_read, WINDOW, {"p": values(0, 0), "c": values(3, 0)}) == [
        Series("sla", (0, None))
    ]


@pytest.mark.parametrize(("buckets", "calls"), [((1, 2), (3,)), ((1,), (3, 3))])
def test_percentiles_and_calls_of_other_numbers_are_an_invalid_response(
    buckets: tuple[int, ...], calls: tuple[int, ...]
) -> None:
    data = {"p": labeled(_0=buckets), "c": values(*calls)}

    with pytest.raises(ProviderError) as caught:
        series_with_absent_buckets("pct", read(calls="c"), WINDOW, data)

    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    assert f"p is {len(buckets)} buckets, and {len(calls)} of the calls" in str(caught.value)


def test_read_of_known_labels_has_no_label_problem() -> None:
    data = {"p": [*labeled(_0=(1,), _4=(2,)), values(3)]}

    assert find_label_problem("pct", read("0", "4"), data) == ""


def test_read_of_an_unknown_percentile_is_query_invalid() -> None:
    data = {"p": [*labeled(_0=(1,), _4=(2,)), values(3)]}

    with pytest.raises(ProviderError) as caught:
        find_label_problem("pct", read("0", "99"), data)

    assert caught.value.reason is Reason.QUERY_INVALID
    assert str(caught.value).startswith(
        "pct: service_percentile has no label '99'. Write labels: [\"4\"] for p99: OAP before 10 labels"
    )


@pytest.mark.parametrize(("metric", "shown"), [("meter_status", "meter_status"), (None, "readLabeledMetricsValues")])
def test_read_of_a_label_that_may_appear_later_has_the_cause(metric: str | None, shown: str) -> None:
    data = {"p": labeled(_200=(1,), _404=(2,))}

    assert find_label_problem("s", read("200", "500", metric=metric), data) == (
        f"s: {shown} has no label '500' in these minutes, but _='200', _='404'"
    )


def test_read_without_labels_or_without_a_presence_read_has_no_label_problem() -> None:
    labeled_read = MetricRead("readLabeledMetricsValues", NO_SHAPE, "service_percentile", None, labels=("99",))

    assert find_label_problem("pct", read(), {"p": labeled(_0=(1,))}) == ""
    assert find_label_problem("pct", read(), {}) == ""
    assert find_label_problem("pct", labeled_read, {None: labeled(_0=(1,))}) == ""  # type: ignore[dict-item]


def test_expression_of_known_labels_has_no_label_problem() -> None:
    assert find_label_problem("e", expression(("p", "99")), metric_labels(("p", "50"), ("p", "99"))) == ""


def test_expression_of_an_unknown_percentile_is_query_invalid() -> None:
    with pytest.raises(ProviderError) as caught:
        find_label_problem("e", expression(("p", "98"), ("p", "50")), metric_labels(("p", "50"), ("p", "99")))

    assert caught.value.reason is Reason.QUERY_INVALID
    assert str(caught.value).startswith("e: service_percentile has no label p='98'. Write {p='99'}")


def test_expression_of_a_label_that_may_appear_later_has_the_cause() -> None:
    data = metric_labels(("code", "200"), ("zone", None))

    assert find_label_problem("e", expression(("code", "500")), data) == (
        "e: service_percentile has no label code='500' in these minutes, but code='200', zone=''"
    )
