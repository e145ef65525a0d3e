"""Agreement of the JSON Schema with the models that it is generated from."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from skywalking_provider.block import parse_block
from skywalking_provider.block.json_schema import build_block_schema
from skywalking_provider.errors import ProviderError

COMMITTED = Path(__file__).parents[2] / "docs" / "block.schema.json"
SCHEMA = Draft202012Validator(build_block_schema())
NAMED = {"window": "5m", "service": "reviews.bookinfo"}
GOOD: list[dict[str, Any]] = [
    {"query": "{ version }", "interval": "3m"},
    {"query": "{ version }", "interval": "90s", "compatibility": "argo", "address": "http://oap:12800"},
    NAMED | {"expression": "avg(service_apdex)", "scale": "10000", "minCalls": "5"},
    NAMED | {"sli": "latency", "percentile": 99, "aggregate": "weighted", "layer": " mesh "},
    NAMED | {"sli": "apdex", "service": {"name": "reviews", "subset": "v2"}, "instances": {"name": "a.*"}},
    NAMED | {"sli": "success-rate", "conditions": {"language": "cel", "success": "result > 0.9"}, "maxWait": 0},
    {"sli": "success-rate", "service": "a", "objective": "0.99", "harmful": 0.95, "confidence": "0.9999"},
    {"sli": "latency", "percentile": 95, "service": "a", "compare": {"service": "b", "harmful": {"ratio": "3"}}},
    {"sli": "apdex", "service": "a", "compare": {"service": "b"}, "warmUp": "2m", "confidence": {"fine": 0.9}},
    NAMED | {"alarms": {}},
    NAMED | {"alarms": {"rules": ["a_rule"], "tags": {"level": "CRITICAL"}, "scopes": ["service"]}, "minCalls": 1},
    NAMED | {"alarms": {"silencePeriod": "1h"}, "instances": {"name": "a.*"}},
    NAMED | {"sli": "throughput", "backend": None, "onNoData": "failed", "settle": "0"},
]
BAD: list[Any] = [
    {},
    [],
    "sli",
    NAMED,
    NAMED | {"sli": "apdex", "expression": "service_cpm"},
    {"query": "{ version }"},
    {"query": "{ version }", "interval": "3m", "window": "3m"},
    {"query": "{ version }", "interval": "3 minutes"},
    {"query": "{ version }", "interval": 3},
    NAMED | {"sli": "apdex", "windo": "5m"},
    NAMED | {"sli": "availability"},
    NAMED | {"sli": "apdex", "service": {"name": "reviews", "versoin": "v2"}},
    NAMED | {"sli": "apdex", "service": {"subset": "v2"}},
    NAMED | {"sli": "apdex", "service": ""},
    NAMED | {"sli": "apdex", "instances": {"hash": "a"}},
    NAMED | {"sli": "apdex", "minCalls": -1},
    NAMED | {"sli": "apdex", "minCalls": "many"},
    NAMED | {"sli": "apdex", "layer": "a b"},
    NAMED | {"sli": "apdex", "conditions": {"language": "expr"}},
    NAMED | {"expression": "service_cpm", "scale": 0},
    {"alarms": {}, "service": "a"},
    NAMED | {"alarms": None},
    NAMED | {"alarms": ["a_rule"]},
    NAMED | {"alarms": {"rules": "a_rule"}},
    NAMED | {"alarms": {"scopes": ["Service"]}},
    NAMED | {"alarms": {"scopes": ["relation"]}},
    NAMED | {"alarms": {"tags": {"level": 1}}},
    NAMED | {"alarms": {"keyword": "a"}},
    NAMED | {"alarms": {}, "sli": "apdex"},
    {"sli": "apdex", "service": "a"},
    {"sli": "apdex", "service": "a", "warmUp": "1m"},
    {"sli": "apdex", "service": "a", "objective": 0.9, "since": "run"},
    NAMED | {"sli": "apdex", "compare": {"service": "b"}},
    {"sli": "apdex", "service": "a", "compare": {"service": "b", "tolerated": {"ratio": 0.5}}},
    {"sli": "apdex", "service": "a", "compare": {"service": "b", "harmful": 3}},
    {"sli": "apdex", "service": "a", "objective": 0.9, "confidence": 0.5},
    {"sli": "apdex", "service": "a", "objective": 0.9, "confidence": {"fine": 0.5}},
]


def accepts(block: object) -> bool:
    try:
        parse_block(json.dumps(block).encode())
    except ProviderError:
        return False
    return True


@pytest.mark.parametrize("block", GOOD, ids=str)
def test_valid_block_is_accepted_by_parser_and_schema(block: dict[str, Any]) -> None:
    assert accepts(block)
    assert SCHEMA.is_valid(block)


@pytest.mark.parametrize("block", BAD, ids=str)
def test_invalid_block_is_rejected_by_parser_and_schema(block: object) -> None:
    assert not accepts(block)
    assert not SCHEMA.is_valid(block)


units = "(ns|us|µs|ms|s|m|h|d|w)"
durations = st.one_of(
    st.integers(1, 500).map(lambda minutes: f"{minutes}m"),
    st.sampled_from(["0", "-0", "+0", "1h30m", " 2m ", "1.5h", "60000ms", ".5h", 0, "3m", "5m"]),
)
odd_durations = st.one_of(
    st.sampled_from([3, "3", "3x", "", "501m", "-3m"]),
    st.from_regex(rf"[-+]?([0-9]{{1,3}}(\.[0-9])?{units}){{1,3}}", fullmatch=True),
)
counts = st.one_of(st.integers(0, 20_000), st.sampled_from(["5.0", " 5 ", "1_000", "+5", 5.0, "0"]))
ratios = st.one_of(st.floats(0.001, 1e6), st.sampled_from(["1e3", ".5", "5.", "1E-2", " 7 ", "10_000", 10000]))
odd_numbers = st.sampled_from(["0x10", "NaN", "inf", "-1", "", "five", -1, 0.5, 1e400])
texts = st.sampled_from(["reviews", " reviews ", "a|b|c", "é", "reviews-.*"])
layers = st.sampled_from(["MESH", " mesh ", "VIRTUAL_DATABASE"])
odd_texts = st.sampled_from(["", " ", "a b", "{{args.x}}", "[", "http://oap:12800"])
policies = st.sampled_from(["inconclusive", "error"])
anything = st.one_of(
    texts,
    odd_texts,
    durations,
    odd_durations,
    odd_numbers,
    st.integers(-2, 200),
    st.none(),
    st.lists(texts, max_size=2),
)


def keys(required: dict[str, st.SearchStrategy[Any]] | None = None, **optional: st.SearchStrategy[Any]) -> Any:
    """Return a strategy of some of the keys, mostly with valid values, sometimes with any value."""

    def mostly(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.integers(0, 30).flatmap(lambda number: one if number else anything)

    return st.fixed_dictionaries(
        {key: mostly(one) for key, one in (required or {}).items()},
        optional={key: mostly(one) for key, one in optional.items()},
    )


def together(*parts: Any) -> Any:
    return st.builds(lambda *some: {key: value for part in some for key, value in part.items()}, *parts)


cel = keys({"language": st.just("cel")}, success=texts, failure=texts)
common = keys(
    backend=texts, address=st.just("http://oap:12800"), maxWait=durations, onNoData=policies, outageGrace=durations,
    onOutage=policies, settle=durations, conditions=cel, since=st.sampled_from(["run", "window"]),
    earlierPods=st.sampled_from(["exclude", "include"]),
)  # fmt: skip
instances = st.one_of(keys({"podTemplateHash": st.just("6c85f7bf4")}), keys({"name": st.just("reviews-.*")}))
service = st.one_of(texts, keys({"name": texts}, subset=texts, namespace=texts, cluster=texts))
entity = together(
    keys(
        {"window": durations, "service": service},
        layer=layers,
        minCalls=counts,
    ),
    st.one_of(keys(endpoint=texts), keys(instances=instances)),
)
latency = keys({"sli": st.just("latency"), "percentile": st.sampled_from([50, 99, "95", " 90 ", "75.0"])})


def numbers(lowest: float, highest: float) -> st.SearchStrategy[Any]:
    """Return a strategy of numbers in a range, some of them as text."""
    one = st.floats(lowest, highest).map(lambda number: round(number, 6))
    return st.one_of(one, one.map(str), one.map(lambda number: f" {number} "))


def exactly(required: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]) -> Any:
    """Return a strategy of some of the keys, always with these values."""
    return st.fixed_dictionaries(required, optional=optional)


confidence = st.one_of(numbers(0.95, 0.99999), exactly({}, worse=numbers(0.95, 0.99999), fine=numbers(0.6, 0.999)))
part = st.one_of(exactly({"endpoint": texts}), exactly({"instances": instances}), exactly({}))
rate = exactly({"sli": st.sampled_from(["apdex", "success-rate"])})
compare = together(
    exactly({}, service=service, layer=layers),
    part,
    exactly(
        {},
        tolerated=exactly({}, ratio=numbers(1, 2), difference=numbers(0.001, 0.01)),
        harmful=exactly({"ratio": numbers(2, 20)}, difference=numbers(0.01, 0.5)),
    ),
)
judged = together(
    st.one_of(st.just({}), common.map(lambda some: {key: value for key, value in some.items() if key != "since"})),
    exactly({"service": service}, layer=layers, confidence=confidence, warmUp=durations),
    part,
    st.one_of(
        together(rate, exactly({"compare": compare})),
        together(latency, exactly({"compare": compare})),
        together(rate, exactly({"objective": numbers(0.95, 0.999)}, harmful=numbers(0.5, 0.94))),
        together(latency, exactly({"objective": numbers(1, 500)}, harmful=numbers(501, 5000))),
    ),
)
alarms = keys(
    rules=st.lists(st.sampled_from(["a_rule", " b_rule "]), max_size=2, unique=True),
    tags=st.dictionaries(texts, texts, max_size=2),
    scopes=st.lists(st.sampled_from(["service", "instance", "endpoint"]), max_size=3, unique=True),
    silencePeriod=durations,
)
blocks = st.one_of(
    together(
        common,
        keys({"query": st.just("{ version }"), "interval": durations}, absent=st.sampled_from(["drop", "zero"])),
        keys(compatibility=st.just("argo")),
    ),
    together(common, entity, keys({"expression": st.just("service_cpm")}, scale=ratios)),
    together(common, entity, keys({"sli": st.sampled_from(["apdex", "success-rate", "throughput"])})),
    together(common, entity, keys({"alarms": alarms})),
    together(common, entity, latency, keys(aggregate=st.sampled_from(["highest", "weighted"]))),
)


@given(blocks)
def test_block_that_the_parser_accepts_is_valid_in_the_schema(block: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(block) or not accepts(block)


@given(judged)
def test_judged_block_that_the_parser_accepts_is_valid_in_the_schema(block: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(block) or not accepts(block)


def test_strategy_of_judged_blocks_has_valid_ones() -> None:
    found = find(judged, lambda block: accepts(block) and "compare" in block and "confidence" in block)

    assert SCHEMA.is_valid(found)


@given(st.sampled_from(GOOD), st.text(min_size=1), anything)
def test_unknown_key_is_rejected_by_parser_and_schema(block: dict[str, Any], key: str, value: Any) -> None:
    known = {name for model in SCHEMA.schema["$defs"].values() for name in model.get("properties", ())}
    if key in known:
        return
    assert not accepts(block | {key: value})
    assert not SCHEMA.is_valid(block | {key: value})


@pytest.mark.parametrize("key", ["window", "maxWait", "minCalls", "percentile", "sli", "onNoData", "since", "layer"])
def test_template_argument_as_a_value_is_valid_in_the_schema(key: str) -> None:
    block = NAMED | {"sli": "latency", "percentile": 99, key: "{{args.x}}"}

    assert SCHEMA.is_valid(block)


def test_schema_is_valid_and_describes_every_key() -> None:
    schema = build_block_schema()

    Draft202012Validator.check_schema(schema)
    for model in (
        "GraphqlSpec", "ExpressionSpec", "IndicatorSpec", "JudgedSpec", "AlarmsSpec", "Alarms", "Compare", "Margin",
        "JudgedConfidence",
    ):  # fmt: skip
        for key, part in schema["$defs"][model]["properties"].items():
            assert part.get("description"), f"{model}.{key}"
    assert "onNoData" in schema["$defs"]["IndicatorSpec"]["properties"]
    assert schema["$defs"]["IndicatorSpec"]["properties"]["outageGrace"]["default"] == "5m"
    assert schema["$defs"]["JudgedSpec"]["properties"]["maxWait"]["default"] == "15m"


def test_committed_schema_equals_the_output_of_the_command() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "skywalking_provider", "schema"], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    assert COMMITTED.read_text(encoding="utf-8") == printed, (
        "Renew it: skywalking-provider schema > docs/block.schema.json"
    )
