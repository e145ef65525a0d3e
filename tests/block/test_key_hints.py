"""Hints of invalid blocks: from the keys of the level, from the other query type, and for the words of other tools."""

import json
from typing import Any

import pytest

from skywalking_provider.block import parse_block
from skywalking_provider.block.key_hints import BACKEND_KEYS
from skywalking_provider.block.parse import QUERY_TYPES, BlockError
from skywalking_provider.config.backend import BackendConfig
from skywalking_provider.support.key_levels import yaml_keys

SLI = {"sli": "latency", "window": "3m", "service": "reviews.bookinfo"}
MQE = {"expression": "avg(service_sla)", "window": "3m", "service": "reviews.bookinfo"}
GRAPHQL = {"query": "query q($duration: Duration!) { version }", "interval": "3m"}
BACKEND = "belongs to backends.<name> of the provider's configuration"
BESIDE = "It belongs to the metric, beside `provider`."
CREDENTIALS = f"Credentials {BACKEND.replace('belongs', 'belong')}: basic, bearer or headers."
PERCENTILES = "50, 75, 90, 95, 99"
HTTP_BODY = "query: is the JSON of an HTTP request. Write the text of its `query` instead"
OWN_INTERVAL = " The time between measurements is the metric's own interval, beside `provider`."

CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    # keys of their own level
    (SLI, {"instances": {"hash": "6c85f7bf4"}}, "instances.hash: unknown key. Write podTemplateHash."),
    (
        SLI,
        {"instances": {"pod-template-hash": "b"}},
        "instances.pod-template-hash: unknown key. Did you mean podTemplateHash?",
    ),
    (SLI, {"instances": {"xyz": "b"}}, "instances.xyz: unknown key. Known keys: name, podTemplateHash."),
    (SLI, {"instances": {"names": "b"}}, "instances.names: unknown key. Did you mean name?"),
    (
        SLI,
        {"instances": {"regex": "b"}},
        "instances.regex: unknown key. Write name: it is a regular expression for the",
    ),
    (
        SLI,
        {"conditions": {"language": "cel", "sucess": "true"}},
        "conditions.sucess: unknown key. Did you mean success?",
    ),
    (
        SLI,
        {"conditions": {"language": "cel", "successCondition": "a"}},
        "conditions.successCondition: unknown key. Write success.",
    ),
    (SLI, {"service": {"name": "a", "version": "v1"}}, "service.version: unknown key. Write subset."),
    (SLI, {"service": {"name": "a", "window": "3m"}}, "service.window: unknown key. It belongs to the first level."),
    (SLI, {"windows": "3m"}, "windows: unknown key. Did you mean window?"),
    (SLI, {"max_wait": "3m"}, "max_wait: unknown key. Did you mean maxWait?"),
    # keys of another level
    (SLI, {"podTemplateHash": "6c85f7bf4"}, "podTemplateHash: unknown key. Write instances: {podTemplateHash: …}."),
    (SLI, {"namespace": "a"}, "namespace: unknown key. It belongs to service."),
    (SLI, {"success": "result > 1"}, "success: unknown key. It belongs to conditions."),
    # keys of another query type
    (SLI, {"interval": "3m"}, f"interval: unknown key. Write window: only a query has an interval.{OWN_INTERVAL}"),
    (MQE, {"interval": "3m"}, f"interval: unknown key. Write window: only a query has an interval.{OWN_INTERVAL}"),
    (MQE, {"duration": "3m"}, "duration: unknown key. Write window: only a query has an interval."),
    (GRAPHQL, {"window": "3m"}, "window: unknown key. Write interval: only sli, expression and alarms have a window."),
    (MQE, {"percentile": 99}, "percentile: unknown key. It belongs to a block with sli."),
    (SLI, {"scale": 100}, "scale: unknown key. It belongs to a block with expression."),
    (SLI, {"absent": "zero"}, "absent: unknown key. It belongs to a block with query."),
    (GRAPHQL, {"min-calls": 5}, "min-calls: unknown key. It belongs to a block with expression or sli or alarms."),
    # keys of the backend and of the metric
    (SLI, {"headers": {"a": "b"}}, f"headers: unknown key. It {BACKEND}."),
    (SLI, {"timezone": "+0800"}, f"timezone: unknown key. It {BACKEND}."),
    (GRAPHQL, {"tls": {}}, f"tls: unknown key. It {BACKEND}."),
    (GRAPHQL, {"authorization": "Basic eA=="}, f"authorization: unknown key. {CREDENTIALS}"),
    (MQE, {"password": "x"}, f"password: unknown key. {CREDENTIALS}"),
    (SLI, {"successCondition": "result > 1"}, f"successCondition: unknown key. {BESIDE}"),
    (SLI, {"failureLimit": 3}, f"failureLimit: unknown key. {BESIDE}"),
    (MQE, {"count": 3}, f"count: unknown key. {BESIDE}"),
    # words of other tools
    (SLI, {"hash": "6c85f7bf4"}, "hash: unknown key. Write instances: {podTemplateHash: …}."),
    (SLI, {"step": "HOUR"}, "step: unknown key. Remove it: the provider reads whole minutes."),
    (
        SLI,
        {"coldStage": True},
        "coldStage: unknown key. Remove it: the provider reads recent minutes, which are not in",
    ),
    (
        SLI,
        {"thresholdRange": {"max": 5}},
        "thresholdRange: unknown key. Write successCondition or failureCondition beside",
    ),
    (SLI, {"normal": True}, "normal: unknown key. Remove it: the provider reads it from the OAP."),
    (GRAPHQL, {"query": '{ "query": "query q { version }" }'}, HTTP_BODY),
    (GRAPHQL, {"query": '{\n  "query": "query q { version }",\n  "variables": {}\n}'}, HTTP_BODY),
    (GRAPHQL, {"query": '{"variables": {}, "query": "{ a }"}'}, HTTP_BODY),
    (GRAPHQL, {"query": '{"query": "broken }'}, HTTP_BODY),
    (GRAPHQL, {"query": "avg(service_sla)"}, "query: is not GraphQL. Write a metrics query expression as `expression`"),
    (GRAPHQL, {"query": "service_percentile{p='99'}"}, "query: is not GraphQL. Write a metrics query expression as"),
    (GRAPHQL, {"query": "service_cpm"}, "query: is not GraphQL. Write a metrics query expression as `expression`"),
    (GRAPHQL, {"query": "query { a"}, "query: is not GraphQL at line 1, column 10: "),
    (MQE, {"expression": "query q { version }"}, "expression: is GraphQL. Write it as `query`, with interval"),
    (MQE, {"expression": "{ version }"}, "expression: is GraphQL. Write it as `query`, with interval"),
    # values
    (SLI, {"percentile": "p99"}, f"percentile: is 'p99' instead of a whole number. Write 99; known are {PERCENTILES}"),
    (SLI, {"percentile": "P95"}, f"percentile: is 'P95' instead of a whole number. Write 95; known are {PERCENTILES}"),
    (SLI, {"percentile": "90%"}, f"percentile: is '90%' instead of a whole number. Write 90; known are {PERCENTILES}"),
    (SLI, {"percentile": "p999"}, f"percentile: is 'p999' instead of a whole number. Write one of {PERCENTILES}"),
    (SLI, {"percentile": "median"}, f"percentile: is 'median' instead of a whole number. Write one of {PERCENTILES}"),
    (SLI, {"percentile": 99.9}, f"percentile: is 99.9 instead of a whole number. Write one of {PERCENTILES}"),
    (
        SLI,
        {"percentile": [95, 99]},
        f"percentile: is a list, but an indicator is one number. Write one of {PERCENTILES}",
    ),
    (SLI, {"sli": "p99"}, "sli: is 'p99'. Write sli: latency with percentile: 99"),
    (SLI, {"sli": "successRate"}, "sli: is 'successRate'. Write success-rate"),
    (SLI, {"sli": "error-rate"}, "sli: is 'error-rate'. Write success-rate, and 1 - result in the condition"),
    (
        SLI,
        {"instances": "6c85f7bf4"},
        "instances: is '6c85f7bf4' instead of a map. Write instances: {podTemplateHash: …}",
    ),
    (SLI, {"instances": "reviews-.*"}, "instances: is 'reviews-.*' instead of a map. Write instances: {name: …}"),
    (SLI, {"instances": ["a"]}, "instances: is a list instead of a map. Write instances: {name: …} with a regular"),
    (SLI, {"instances": {}}, "instances: has no key. Write exactly one of podTemplateHash and name"),
    (SLI, {"conditions": "result > 1"}, "conditions: is not a map. Write {language: …}."),
]


def problem_of(block: dict[str, Any]) -> str:
    with pytest.raises(BlockError) as caught:
        parse_block(json.dumps(block).encode())
    assert str(caught.value) == f"the block of the metric is invalid: {caught.value.problem}"
    return caught.value.problem


@pytest.mark.parametrize(("block", "keys", "message"), CASES, ids=[json.dumps(keys) for _, keys, _ in CASES])
def test_invalid_key_or_value_gets_the_hint_of_its_place(
    block: dict[str, Any], keys: dict[str, Any], message: str
) -> None:
    assert problem_of(block | keys).startswith(message)


@pytest.mark.parametrize("percentile", [99, "99", " 95 ", 50.0])
def test_percentile_as_a_number_or_its_text_is_accepted(percentile: object) -> None:
    assert parse_block(json.dumps(SLI | {"percentile": percentile}).encode()).percentile == int(float(percentile))


def test_keys_of_a_backend_are_those_that_no_block_has() -> None:
    own = {key for model in QUERY_TYPES.values() for key in yaml_keys(model)}
    assert set(yaml_keys(BackendConfig)) - own == BACKEND_KEYS | {"serviceName"}
    assert problem_of(SLI | {"serviceName": "a"}) == "serviceName: unknown key. Write service."
