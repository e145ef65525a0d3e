"""Blocks of the query types `expression` and `sli`, and the messages for invalid ones."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.block import ExpressionSpec, IndicatorSpec, ServiceParts, parse_block
from skywalking_provider.block.expression_syntax import check_expression, extract_metric_names
from skywalking_provider.errors import ProviderError
from tests.cpu_time import measure_cpu_time

SERVICE = "reviews.bookinfo"


def parsed(**keys: object) -> object:
    return parse_block(json.dumps(keys).encode())


def error_message(**keys: object) -> str:
    with pytest.raises(ProviderError) as caught:
        parsed(**keys)
    return str(caught.value)


def test_indicator_with_three_keys_is_valid() -> None:
    spec = parsed(sli="success-rate", window="10m", service=SERVICE)

    assert isinstance(spec, IndicatorSpec)
    assert spec.starts_at_run


def test_expression_with_three_keys_is_valid() -> None:
    assert isinstance(parsed(expression="avg(service_sla)", window="10m", service=SERVICE), ExpressionSpec)


def test_number_written_as_text_is_accepted() -> None:
    spec = parsed(sli="latency", percentile="99", minCalls="300", window="10m", service=SERVICE)

    assert isinstance(spec, IndicatorSpec)
    assert (spec.percentile, spec.min_calls) == (99, 300)


def test_service_in_parts_is_accepted() -> None:
    spec = parsed(sli="apdex", window="5m", service={"subset": "canary", "name": "reviews", "namespace": "bookinfo"})

    assert isinstance(spec, IndicatorSpec)
    assert isinstance(spec.service, ServiceParts)


def test_window_of_instances_selected_by_hash_does_not_start_at_the_run() -> None:
    by_hash = parsed(sli="success-rate", window="5m", service=SERVICE, instances={"podTemplateHash": "6c85f7bf4"})
    by_name = parsed(sli="success-rate", window="5m", service=SERVICE, instances={"name": "reviews-.*"})
    since_run = parsed(
        sli="success-rate", window="5m", service=SERVICE, instances={"podTemplateHash": "6c85f7bf4"}, since="run"
    )

    assert isinstance(by_hash, IndicatorSpec) and not by_hash.starts_at_run  # noqa: PT018
    assert isinstance(by_name, IndicatorSpec) and by_name.starts_at_run  # noqa: PT018
    assert isinstance(since_run, IndicatorSpec) and since_run.starts_at_run  # noqa: PT018


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "it has none of query, expression, sli and alarms; write exactly one"),
        ({"sli": "apdex", "query": "{ x }"}, "it has query and sli; write exactly one"),
        ({"sli": "errors", "window": "5m", "service": SERVICE}, ". Write 'success-rate', 'apdex', 'latency' or"),
        ({"sli": "apdex", "service": SERVICE}, "window: is required"),
        ({"sli": "apdex", "window": "5m"}, "service: is required"),
        ({"sli": "apdex", "window": "90s", "service": SERVICE}, "window: 1m30s is not in whole minutes"),
        ({"sli": "apdex", "window": "9h", "service": SERVICE}, "window: is longer than 500 minutes"),
        ({"sli": "apdex", "window": "5m", "service": ""}, "service"),
        ({"sli": "apdex", "window": "5m", "service": {"subset": "canary"}}, "service.name: is required"),
        ({"sli": "apdex", "percentile": 99, "window": "5m", "service": SERVICE}, "percentile: belongs to sli: latency"),
        ({"sli": "latency", "percentile": 98, "window": "5m", "service": SERVICE}, "50, 75, 90, 95, 99, not 98"),
        ({"sli": "latency", "aggregate": "weighted", "window": "5m", "service": SERVICE}, "belongs to a percentile"),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "instances": {"podTemplateHash": ""}},
            "instances.podTemplateHash: is empty; set the argument in the Rollout's analysis",
        ),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "instances": {"podTemplateHash": "a-b"}},
            "instances.podTemplateHash: 'a-b' is not a pod-template-hash, which has one to ten of the characters bcd",
        ),
        (  # the name of a template of an Experiment; a hash has no vowels
            {"sli": "apdex", "window": "5m", "service": SERVICE, "instances": {"podTemplateHash": "canary"}},
            "instances.podTemplateHash: 'canary' is not a pod-template-hash",
        ),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "instances": {"podTemplateHash": "reviews"}},
            "instances.podTemplateHash: 'reviews' is not a pod-template-hash",
        ),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "instances": {"podTemplateHash": "6c85f7bf4d4"}},
            "instances.podTemplateHash: '6c85f7bf4d4' is not a pod-template-hash",
        ),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "instances": {"name": "("}},
            "is not a regular expression",
        ),
        ({"sli": "apdex", "window": "5m", "service": SERVICE, "instances": {}}, "exactly one of podTemplateHash and"),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "endpoint": "/", "instances": {"name": "a"}},
            "no metrics of an endpoint per instance",
        ),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "minCalls": -1},
            "minCalls: is -1, must be at least 0",
        ),
        ({"expression": "service_cpm extra", "window": "5m", "service": SERVICE}, "OAP would ignore it"),
        ({"expression": "x", "scale": 0, "window": "5m", "service": SERVICE}, "scale: is 0, must be more than 0"),
        ({"expression": "x", "scale": "NaN", "window": "5m", "service": SERVICE}, "scale"),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "conditions": {"language": "js"}},
            "conditions.language: is 'js'. Write 'cel'",
        ),
        (
            {"sli": "apdex", "window": "5m", "service": SERVICE, "confidence": 0.95},
            "confidence: unknown key. It belongs to a judged",
        ),
        ({"sli": "apdex", "window": "5m", "service": SERVICE, "intervall": 1}, "intervall: unknown key"),
    ],
)
def test_invalid_block_is_an_error_that_names_the_key(keys: dict[str, object], expected: str) -> None:
    assert expected in error_message(**keys)


@pytest.mark.parametrize(
    "expression",
    [
        "service_cpm",
        "avg(service_resp_time)",
        "service_percentile{p='50,99'}",
        "aggregate_labels(service_percentile, sum)",
        "top_n(service_cpm, 10, des)",
        "(service_sla / 100) >= 95",
        "sum(service_cpm) > 0 && avg(service_sla) != 0",
        "service_percentile{p='50'} * 2 - -1",
        "view_as_seq([service_sla, service_cpm])",
    ],
)
def test_expression_from_skywalkings_documentation_is_accepted(expression: str) -> None:
    assert check_expression(expression) == expression


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("service_cpm garbage here", "column 13: 'garbage' follows a complete expression"),
        ("avg(service_cpm))", "column 17: ')' has no opening bracket"),
        ("avg(service_cpm", "')' is missing at the end"),
        ("avg(service_cpm]", "']' has no opening bracket"),
        ("service_cpm; drop", "';' is not part of an expression"),
        ("service_cpm, service_sla", "column 12: ',' is outside brackets"),
        ("avg(service_cpm)(service_sla)", "'(' follows a complete expression"),
        ("service_cpm [1]", "'[' follows a complete expression"),
        ("5(service_cpm)", "'(' follows a complete expression"),
        ("service_cpm +", "the expression is incomplete at its end"),
        ("service_cpm 2", "'2' follows a complete expression"),
        ("x" * 5000, "at most 4096"),
    ],
)
def test_expression_that_oap_would_truncate_is_rejected(expression: str, expected: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is asserted below
        check_expression(expression)

    assert expected in str(caught.value)


@given(st.text(max_size=80))
def test_expression_of_any_text_does_not_crash_the_check(text: str) -> None:
    try:
        assert check_expression(text) == text
    except ValueError as error:
        assert str(error)  # noqa: PT017


@pytest.mark.parametrize("chosen", [{"instances": {"name": "reviews-.*"}}, {"endpoint": "GET:/"}])
@pytest.mark.parametrize("expression", ["top_n(service_instance_cpm,3,des)", "top_n (endpoint_cpm, 3, asc) * 2"])
def test_ranking_with_a_selection_is_rejected(chosen: dict[str, object], expression: str) -> None:
    message = error_message(expression=expression, window="10m", service=SERVICE, **chosen)

    assert f"{next(iter(chosen))}: top_n ranks all instances or endpoints of the service and ignores" in message
    assert parsed(expression=expression, window="10m", service=SERVICE)


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("avg(service_sla)", ["service_sla"]),
        ("service_percentile{p='50,99', top_n='x_y'} / service_cpm", ["service_percentile", "service_cpm"]),
        ("top_n(service_cpm,3,des)", ["service_cpm", "des"]),
        ("aggregate_labels(service_percentile,sum(p))", ["service_percentile", "p"]),
    ],
)
def test_metric_names_of_an_expression_are_extracted(expression: str, metrics: list[str]) -> None:
    assert extract_metric_names(expression) == metrics


@pytest.mark.parametrize(
    "expression", ["service_cpm" + " " * 16_000, "a\t" * 8_000, "a$" + " " * 16_000, "'" * 16_001, "a" * 16_000]
)
def test_metric_names_of_unchecked_text_are_extracted_in_linear_time(expression: str) -> None:
    """A query's literal is not checked. A scan that tries each blank anew took 24 s."""
    with measure_cpu_time() as used:
        extract_metric_names(expression)

    assert used.seconds < 1


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"service": 5}, "invalid: service: is 5 instead of text. Quote it: YAML parses digits as a number"),
        ({"service": {"name": 5}}, "invalid: service.name: is 5 instead of text. Quote it"),
        ({"service": {}}, "invalid: service.name: is required"),
        ({"service": ""}, "invalid: service: is empty"),
        ({"service": ["a"]}, "invalid: service: is a list instead of text"),
        (
            {"instances": {"podTemplateHash": 12345678}},
            "instances.podTemplateHash: is 12345678 instead of text. Quote it",
        ),
        ({"instances": {"podTemplateHash": 1e5}}, "drops leading zeros, and reads 1e5 as 100000"),
        (
            {"instances": "6c85f7bf4"},
            "instances: is '6c85f7bf4' instead of a map. Write instances: {podTemplateHash: …}",
        ),
        ({"minCalls": "many"}, "minCalls: is 'many' instead of a whole number"),
        ({"layer": True}, "layer: is true instead of text. Quote it"),
    ],
)
def test_value_of_a_wrong_type_is_described_once_in_yaml_terms(keys: dict[str, object], expected: str) -> None:
    message = error_message(**({"sli": "apdex", "window": "5m", "service": SERVICE} | keys))

    assert expected in message
    assert "input should" not in message
    assert message.count("instead of") <= 1
