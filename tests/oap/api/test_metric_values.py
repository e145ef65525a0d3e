"""Series read by name: SkyWalking's own schema executes the requests, and the responses are decoded again."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphql import graphql_sync
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, Window
from skywalking_provider.oap.api.inventory import InventoryService, instances_field
from skywalking_provider.oap.api.metric_values import (
    MAX_COUNT,
    LabeledSeries,
    Role,
    SeriesRequest,
    SeriesResponse,
    build_request,
    decode_calls,
    decode_labels,
    decode_series,
)
from skywalking_provider.oap.api.request import duration_variable
from skywalking_provider.schema import BEFORE_9_4, SINCE_9_5, load_schema

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = Window(NOON, NOON + timedelta(minutes=3))
MINUTES = [NOON + timedelta(minutes=at) for at in range(4)]  # the last one is after the window
MILLISECONDS = [str(round(one.timestamp() * 1000)) for one in MINUTES]
LOCAL_TIMES = [f"service_cpm_{one:%Y%m%d%H%M}_Y2FuYXJ5.1" for one in MINUTES]
ENTITIES = [
    Entity("reviews"),
    Entity("db:3306", normal=False),
    Entity("reviews", instance="pod-1"),
    Entity("reviews", endpoint="/reviews/{id}"),
]
RANKS = ("50", "75", "90", "95", "99")
POSITIONS = ("0", "1", "2", "3", "4")
PLAIN = SeriesRequest("e0", "service_cpm", ENTITIES[0])


def execute(series_requests: list[SeriesRequest], *, mqe: bool, respond: Callable[..., Any]) -> dict[str, Any]:
    """Execute the requests of the series on the schema of an OAP; `respond` is the resolver of its fields."""
    schema = load_schema(SINCE_9_5 if mqe else BEFORE_9_4)
    request = build_request(series_requests, WINDOW, mqe=mqe)
    names = ("execExpression", "readMetricsValues", "readLabeledMetricsValues")
    root = {name: lambda _info, _name=name, **arguments: respond(_name, **arguments) for name in names}
    result = graphql_sync(schema, request.query, root, variable_values=dict(request.variables))

    assert result.errors is None
    assert result.data is not None
    assert request.window == WINDOW
    return result.data


def entity_input(entity: Entity) -> dict[str, Any]:
    """Return what OAP reads for an entity, with the scope that it derives from the given names."""
    parts = {"serviceInstanceName": entity.instance, "endpointName": entity.endpoint}
    given_parts = {name: value for name, value in parts.items() if value is not None}
    scope = {"serviceInstanceName": "ServiceInstance", "endpointName": "Endpoint"}.get(
        next(iter(given_parts), ""), "Service"
    )
    return {"scope": scope, "serviceName": entity.service, "normal": entity.normal} | given_parts


@given(
    st.lists(st.tuples(st.sampled_from(["service_cpm", "avg(x)"]), st.sampled_from(ENTITIES)), min_size=1, max_size=4)
)
def test_expressions_of_one_request_reach_the_oap_with_their_entities(series: list[tuple[str, Entity]]) -> None:
    requests = [SeriesRequest(f"e{at}", text, entity) for at, (text, entity) in enumerate(series)]
    seen = []

    def respond(name: str, expression: str, entity: dict[str, Any], duration: dict[str, Any]) -> Any:
        seen.append((name, expression, entity))
        assert duration == duration_variable(WINDOW)
        labels = {"labels": [{"key": "of", "value": expression}]}
        values = [{"id": MILLISECONDS[0], "value": str(len(seen))}, {"id": MILLISECONDS[2], "value": None}]
        return {"type": "TIME_SERIES_VALUES", "results": [{"metric": labels, "values": values}]}

    data = execute(requests, mqe=True, respond=respond)

    assert seen == [("execExpression", text, entity_input(entity)) for text, entity in series]
    for at, request in enumerate(requests):
        expected = LabeledSeries({"of": request.expression}, (at + 1, None))
        assert decode_series(data, request, WINDOW, mqe=True) == SeriesResponse("TIME_SERIES_VALUES", (expected,))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(ENTITIES)), min_size=1, max_size=4))
def test_metrics_of_one_request_reach_an_oap_without_expressions(series: list[tuple[bool, Entity]]) -> None:
    requests = [SeriesRequest(f"e{at}", "m", entity, labeled=labeled) for at, (labeled, entity) in enumerate(series)]
    seen = []

    def respond(name: str, condition: dict[str, Any], duration: dict[str, Any], labels: tuple[str, ...] = ()) -> Any:
        seen.append((name, condition, tuple(labels)))
        assert duration == duration_variable(WINDOW)
        values = {
            "values": {"values": [{"id": LOCAL_TIMES[0], "value": len(seen)}, {"id": LOCAL_TIMES[2], "value": 0}]}
        }
        return [values | {"label": label} for label in labels] if labels else values

    data = execute(requests, mqe=False, respond=respond)

    for at, (request, (labeled, entity)) in enumerate(zip(requests, series, strict=True)):
        condition = {"name": "m", "entity": entity_input(entity)}
        decoded = decode_series(data, request, WINDOW, mqe=False)
        if labeled:
            assert seen[at] == ("readLabeledMetricsValues", condition, POSITIONS)
            expected = tuple(LabeledSeries({"p": rank}, (at + 1, None)) for rank in RANKS)
        else:
            assert seen[at] == ("readMetricsValues", condition, ())
            expected = (LabeledSeries({}, (at + 1, 0)),)
        assert decoded == SeriesResponse("TIME_SERIES_VALUES", expected)


def expression_result(*results: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"e0": {"type": "TIME_SERIES_VALUES", "error": None, "results": list(results)} | keys}


def values(*texts: str | None, ids: Sequence[str | None] = ()) -> list[dict[str, Any]]:
    return [{"id": one, "value": text} for text, one in zip(texts, ids or (None,) * len(texts), strict=True)]


@pytest.mark.parametrize(("position", "rank"), [*zip(POSITIONS, RANKS, strict=True), ("5", "5")])
def test_percentile_by_position_has_the_label_of_its_rank_on_every_oap(position: str, rank: str) -> None:
    by_position = {"metric": {"labels": [{"key": "_", "value": position}]}, "values": values("1")}
    by_rank = {"metric": {"labels": [{"key": "p", "value": rank}]}, "values": values("1")}
    before = {"e0": [{"label": position, "values": {"values": [{"value": 1}]}}]}
    labeled = SeriesRequest("e0", "service_percentile", ENTITIES[0], labeled=True)

    for response in (expression_result(by_position), expression_result(by_rank)):
        assert decode_series(response, labeled, WINDOW, mqe=True).series == (LabeledSeries({"p": rank}, (1,)),)
    assert decode_series(before, labeled, WINDOW, mqe=False).series == (LabeledSeries({"p": rank}, (1,)),)


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        (None, {}),
        ({"labels": []}, {}),
        ({"labels": [{"key": "code", "value": None}]}, {"code": ""}),
        ({"labels": [{"key": "_", "value": None}, {"key": "a", "value": "b"}]}, {"a": "b", "p": ""}),
    ],
)
def test_label_without_a_value_is_empty(metric: Any, labels: dict[str, str]) -> None:
    response = expression_result({"metric": metric, "values": values("1")})

    assert decode_series(response, PLAIN, WINDOW, mqe=True).series == (LabeledSeries(labels, (1,)),)


def test_label_of_a_series_without_expressions_may_be_absent() -> None:
    labeled = SeriesRequest("e0", "m", ENTITIES[0], labeled=True)

    decoded = decode_series({"e0": [{"label": None, "values": {"values": [{"value": 1}]}}]}, labeled, WINDOW, mqe=False)

    assert decoded.series == (LabeledSeries({"p": ""}, (1,)),)


def test_percentiles_with_other_numbers_of_buckets_are_as_long_as_the_shortest() -> None:
    labeled = SeriesRequest("e0", "service_percentile", ENTITIES[0], labeled=True)
    rows = {"0": (0, 0, 3), "4": (0, 7)}
    data = {
        "e0": [
            {"label": label, "values": {"values": [{"value": one} for one in numbers]}}
            for label, numbers in rows.items()
        ]
    }

    assert [one.buckets for one in decode_series(data, labeled, WINDOW, mqe=False).series] == [(None, 0), (None, 7)]


@pytest.mark.parametrize("mqe", [True, False])
def test_request_of_series_also_lists_the_instances_of_services(*, mqe: bool) -> None:
    services = {f"l{at}": InventoryService(f"id-{at}", f"service-{at}", (), normal=True) for at in range(2)}

    plain = build_request([PLAIN], WINDOW, mqe=mqe)
    request = build_request([PLAIN], WINDOW, mqe=mqe, instances_of=services)

    head, _, body = plain.query.partition(") { ")
    lists = " ".join(instances_field(alias) for alias in services)
    assert request.query == f"{head}, $l0: ID!, $l1: ID!) {{ {body.removesuffix(' }')} {lists} }}"
    assert request.variables == {**plain.variables, "l0": "id-0", "l1": "id-1"}


def test_labels_of_a_metric_are_those_of_all_its_series() -> None:
    labels = [[{"key": "p", "value": "50"}], [{"key": "p", "value": "99"}, {"key": "zone", "value": None}]]
    results = [{"metric": {"labels": one}, "values": []} for one in labels]

    assert decode_labels(expression_result(*results, {"metric": None, "values": []}), "e0") == {
        ("p", "50"),
        ("p", "99"),
        ("zone", ""),
    }
    assert decode_labels(expression_result(error="unknown metric"), "e0") == frozenset()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("SORTED_LIST", ("a", "", "b")),
        ("RECORD_LIST", ("a", "", "b")),
        ("TIME_SERIES_VALUES", ()),
        ("SINGLE_VALUE", ()),
    ],
)
def test_series_of_a_ranking_has_the_names_of_its_values(kind: str, names: tuple[str, ...]) -> None:
    ranked = values("3", "2.5", None, ids=("a", None, "b") if names else ())

    response = decode_series(expression_result({"metric": None, "values": ranked}, type=kind), PLAIN, WINDOW, mqe=True)

    assert response == SeriesResponse(kind, (LabeledSeries({}, (3, 2.5, None), names),))


@pytest.mark.parametrize(
    ("keys", "reason", "message"),
    [
        ({"type": "UNKNOWN"}, Reason.QUERY_INVALID, "service_cpm: OAP returns a result of type UNKNOWN"),
        ({"type": "UNKNOWN", "error": "no such metric"}, Reason.QUERY_INVALID, "service_cpm: no such metric"),
        ({"results": None}, Reason.OAP_RESPONSE_INVALID, "e0.results is null"),
        ({"results": [{"values": values("∞")}]}, Reason.OAP_RESPONSE_INVALID, "service_cpm: OAP returned '∞'"),
    ],
)
def test_expression_without_a_usable_result_is_an_error(keys: dict[str, Any], reason: Reason, message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        decode_series(expression_result(**keys), PLAIN, WINDOW, mqe=True)

    assert caught.value.reason is reason
    assert message in str(caught.value)


@pytest.mark.parametrize("mqe", [True, False])
def test_response_without_the_field_of_the_series_is_invalid(*, mqe: bool) -> None:
    for labeled in (True, False):
        with pytest.raises(ProviderError, match="e0 is missing"):
            decode_series({}, SeriesRequest("e0", "m", ENTITIES[0], labeled=labeled), WINDOW, mqe=mqe)


CALLS = SeriesRequest("e0", "service_cpm", ENTITIES[0], role=Role.CALLS)


@given(st.lists(st.none() | st.integers(0, MAX_COUNT - 1)))
def test_calls_are_whole_numbers_by_bucket(counts: list[int | None]) -> None:
    response = expression_result(
        {"metric": None, "values": values(*(None if one is None else str(one) for one in counts))}
    )

    assert decode_calls(response, CALLS, WINDOW, mqe=True) == tuple(counts)


def test_calls_of_an_oap_without_expressions_are_decoded_as_its_metric() -> None:
    response = {"e0": {"values": {"values": [{"value": 0}, {"value": 7}]}}}

    assert decode_calls(response, CALLS, WINDOW, mqe=False) == (0, 7)


def test_response_without_a_series_has_no_calls() -> None:
    assert decode_calls(expression_result(), CALLS, WINDOW, mqe=True) == ()


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([values("1"), values("2")], "e0 is 2 series of service_cpm"),
        ([values("-1")], "e0 is -1 calls"),
        ([values(None, str(MAX_COUNT))], f"e0 is {MAX_COUNT} calls"),
    ],
)
def test_number_that_is_not_a_count_of_calls_is_an_invalid_response(results: list[Any], message: str) -> None:
    response = expression_result(*({"metric": None, "values": one} for one in results))

    with pytest.raises(ProviderError) as caught:
        decode_calls(response, CALLS, WINDOW, mqe=True)

    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", ["TIME_SERIES_VALUES", "SINGLE_VALUE"])
def test_expression_with_a_bucket_of_another_window_is_an_invalid_response(kind: str) -> None:
    inside, outside = ({"metric": None, "values": values("1", ids=[MILLISECONDS[at]])} for at in (2, 3))

    assert decode_series(expression_result(inside, type=kind), PLAIN, WINDOW, mqe=True).kind == kind
    with pytest.raises(ProviderError, match=r"not for the requested window: e0\.results\.1 has the bucket") as caught:
        decode_series(expression_result(inside, outside, type=kind), PLAIN, WINDOW, mqe=True)
    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    with pytest.raises(ProviderError, match=r"not for the requested window: e0\.results\.0 has the bucket"):
        decode_calls(expression_result(outside, type=kind), CALLS, WINDOW, mqe=True)


@pytest.mark.parametrize("labeled", [True, False])
def test_metric_with_a_bucket_of_another_window_is_an_invalid_response(*, labeled: bool) -> None:
    inside, outside = ({"values": {"values": [{"id": LOCAL_TIMES[at], "value": 1}]}} for at in (2, 3))
    request = SeriesRequest("e0", "m", ENTITIES[0], labeled=labeled)

    assert decode_series({"e0": [inside] if labeled else inside}, request, WINDOW, mqe=False).series
    with pytest.raises(ProviderError, match="not for the requested window: e0 has the bucket") as caught:
        decode_series({"e0": [inside, outside] if labeled else outside}, request, WINDOW, mqe=False)
    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
