"""Responses of another form than SkyWalking's are rejected, with the place in the response."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.features import FEATURES_REQUEST, parse_features
from skywalking_provider.oap.api.inventory import (
    parse_instances,
    parse_layers,
    parse_metrics,
    parse_names,
    parse_services,
)
from skywalking_provider.oap.api.server_time import parse_server_clock
from skywalking_provider.oap.transport.error_mapping import error_from_graphql

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SERVICE = {"id": "1", "name": "reviews", "layers": ["MESH"], "normal": True}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def clock(data: dict[str, Any]) -> object:
    return parse_server_clock(data, NOON)


@pytest.mark.parametrize(
    ("parse", "data", "expected"),
    [
        (clock, {"getTimeInfo": {"timezone": "+0000", "currentTimestamp": 10**18}}, "currentTimestamp is 10000000"),
        (clock, {"getTimeInfo": {"timezone": "+0000", "currentTimestamp": True}}, "currentTimestamp is true"),
        (clock, {"getTimeInfo": None}, "getTimeInfo is null"),
        (clock, {}, "getTimeInfo is missing"),
        (parse_services, {"services": [SERVICE, SERVICE | {"id": None}]}, "services.1.id is null"),
        (parse_services, {"services": [{"id": "1"}]}, "services.0.name is missing"),
        (parse_services, {"services": [SERVICE | {"layers": "MESH"}]}, "services.0.layers is 'MESH'"),
        (parse_instances, {"instances": [{"name": "a", "attributes": [1]}]}, "instances.0.attributes.0 is 1"),
        (parse_metrics, {"metrics": {"name": "service_cpm"}}, "metrics is an object"),
        (parse_layers, {"layers": [["MESH"]]}, "layers.0 is a list"),
        (parse_features, {"query": {"fields": [{"name": ["x"]}]}}, "query.fields.0.name is a list"),
    ],
)
def test_invalid_response_is_an_error_with_its_place(parse: Any, data: dict[str, Any], expected: str) -> None:
    with pytest.raises(ProviderError, match=r"Check that the backend is a SkyWalking OAP") as caught:
        parse(data)

    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    assert expected in str(caught.value)


PARSERS = {
    "getTimeInfo": clock,
    "services": parse_services,
    "instances": parse_instances,
    "metrics": parse_metrics,
    "layers": parse_layers,
    "endpoints": lambda data: parse_names(data, "endpoints"),
    "query": parse_features,
}


@given(st.sampled_from(sorted(PARSERS)), json_values)
def test_any_response_is_parsed_or_rejected(field: str, value: Any) -> None:
    reasons = set()
    try:
        PARSERS[field]({field: value})
    except ProviderError as error:
        reasons.add(error.reason)

    assert reasons <= {Reason.OAP_RESPONSE_INVALID}


@given(st.lists(json_values, min_size=1))
def test_any_graphql_errors_become_a_provider_error(errors: list[Any]) -> None:
    assert error_from_graphql(errors, "prod", str).reason in (Reason.QUERY_INVALID, Reason.OAP_UNAVAILABLE)


def test_features_request_introspects_one_type_only() -> None:
    """Its GoodFaithIntrospection (21.5, in OAP 10.1) lets a request have one `__type`, and `fields` of one type."""
    assert [FEATURES_REQUEST.query.count(field) for field in ("__type", "fields", "__schema")] == [1, 1, 0]
