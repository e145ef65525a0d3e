"""Check that every read of a query is of the measurement's window."""

import json

import pytest

from skywalking_provider.block import BlockError, parse_block

CONDITION = 'condition: {name: "service_cpm", entity: {scope: Service, serviceName: "a", normal: true}}'
FIXED = '{step: MINUTE, start: "2026-11-29 1949", end: "2026-11-29 1950"}'
VALUES = "{ values { values { value } } }"


def error_message(query: str, **keys: object) -> str:
    with pytest.raises(BlockError) as caught:
        parse_block(json.dumps({"interval": "3m", "query": query, **keys}).encode())
    assert caught.value.key == "query"
    return str(caught.value)


def read(alias: str, duration: str) -> str:
    return f"{alias}: readMetricsValues({CONDITION}, duration: {duration}) {VALUES}"


OTHER_MINUTES = [
    ("literal", f"query {{ {read('r1', FIXED)} }}", "r1 does not use $duration: its duration is { step: MINUTE,"),
    ("declared", f"query ($duration: Duration!) {{ {read('r1', FIXED)} }}", "r1 does not use $duration"),
    (
        "one with, one without",
        f"query ($duration: Duration!) {{ {read('now', '$duration')} {read('before', FIXED)} }}",
        "before does not use $duration",
    ),
    (
        "other variable with a default",
        f"query ($duration: Duration!, $d: Duration = {FIXED}) {{ {read('r1', '$d')} }}",
        "r1 does not use $duration: its duration is $d,",
    ),
    (
        "parts of variables",
        (
            'query ($duration: Duration!, $s: String = "2026-11-29 1949")'
            f" {{ {read('r1', '{step: MINUTE, start: $s, end: $s}')} }}"
        ),
        "r1 does not use $duration",
    ),
    ("none", f"query ($duration: Duration!) {{ r1: readMetricsValues({CONDITION}) {VALUES} }}", "it has no duration"),
    (
        "without an alias",
        f"query {{ readMetricsValue({CONDITION}, duration: {FIXED}) }}",
        "readMetricsValue does not use $duration",
    ),
    (
        "expression",
        (
            'query ($duration: Duration!) { e: execExpression(expression: "service_cpm", entity: {serviceName: "a"},'
            f" duration: {FIXED}) {{ results {{ values {{ value }} }} }} }}"
        ),
        "e does not use $duration",
    ),
    (
        "used by another field only",
        (
            'query ($duration: Duration!) { i: listInstances(duration: $duration, serviceId: "x") { name }'
            f" {read('r1', FIXED)} }}"
        ),
        "r1 does not use $duration",
    ),
    (
        "condition of traces",
        (
            'query ($duration: Duration!) { t: queryBasicTraces(condition: {queryDuration: {start: "1", end: "2",'
            " step: MINUTE}, traceState: ERROR}) { total } }"
        ),
        "t does not use $duration: its queryDuration is",
    ),
    (
        "ranking",
        (
            'query ($duration: Duration!) { s: sortMetrics(condition: {name: "service_cpm", topN: 3},'
            f" duration: {FIXED}) {{ name value }} }}"
        ),
        "s does not use $duration",
    ),
    (
        "fragment",
        f"query ($duration: Duration!) {{ ...f }} fragment f on Query {{ {read('r1', FIXED)} }}",
        "r1 does not use $duration",
    ),
    (
        "inline fragment",
        f"query ($duration: Duration!) {{ ... on Query {{ {read('r1', FIXED)} }} }}",
        "r1 does not use $duration",
    ),
]


@pytest.mark.parametrize(
    ("query", "expected"), [one[1:] for one in OTHER_MINUTES], ids=[one[0] for one in OTHER_MINUTES]
)
@pytest.mark.parametrize("keys", [{}, {"compatibility": "argo"}], ids=["rewritten", "verbatim"])
def test_read_of_other_minutes_than_the_window_is_an_error_with_its_name(
    query: str, expected: str, keys: dict[str, object]
) -> None:
    message = error_message(query, **keys)

    assert expected in message
    assert "write duration: $duration to read the window" in message


def test_error_has_the_line_of_the_read() -> None:
    query = f"query ($duration: Duration!) {{\n  {read('now', '$duration')}\n  {read('before', FIXED)}\n}}"

    with pytest.raises(BlockError) as caught:
        parse_block(json.dumps({"interval": "3m", "query": query}).encode())

    assert caught.value.query_line == 3


@pytest.mark.parametrize(
    "query",
    [
        f"query ($duration: Duration!) {{ {read('r1', '$duration')} }}",
        f"query ($duration: Duration = {FIXED}) {{ {read('r1', '$duration')} }}",  # the provider's value replaces it
        "{ version }",
        "query ($duration: Duration!) { t: queryBasicTraces(condition: {queryDuration: $duration}) { total } }",
        "query ($duration: Duration!) { t: q(condition: {queryDuration: $duration, minTraceDuration: 5}) { total } }",
    ],
)
def test_read_of_the_window_is_valid(query: str) -> None:
    parse_block(json.dumps({"interval": "3m", "query": query}).encode())
