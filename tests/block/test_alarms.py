"""Blocks of the query type `alarms`, and the messages for invalid ones."""

import json
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.block import AlarmsSpec, parse_block
from skywalking_provider.block.parse import BlockError
from skywalking_provider.model import Scope

NAMED = {"window": "5m", "service": "reviews.bookinfo"}


def parsed(alarms: object, **keys: object) -> AlarmsSpec:
    spec = parse_block(json.dumps(NAMED | {"alarms": alarms} | keys).encode())
    assert isinstance(spec, AlarmsSpec)
    return spec


def problem_of(alarms: object, **keys: object) -> str:
    with pytest.raises(BlockError) as caught:
        parsed(alarms, **keys)
    return caught.value.problem


def test_block_without_keys_of_alarms_selects_all_alarms_of_its_entity() -> None:
    spec = parsed({})

    assert (spec.alarms.rules, spec.alarms.tags, spec.alarm_scopes) == ((), {}, (Scope.SERVICE,))
    assert spec.alarms.silence_period == timedelta(minutes=10)
    assert spec.describe_alarms() == "all rules"


@pytest.mark.parametrize(
    ("keys", "scope"),
    [({"endpoint": "/buy"}, Scope.ENDPOINT), ({"instances": {"podTemplateHash": "6c85f7bf4"}}, Scope.INSTANCE)],
)
def test_scope_is_that_of_the_selected_entity(keys: dict[str, Any], scope: Scope) -> None:
    assert parsed({}, **keys).alarm_scopes == (scope,)


def test_all_keys_are_accepted_and_described() -> None:
    spec = parsed(
        {
            "rules": [" a_rule ", "b_rule"],
            "tags": {"level": "CRITICAL"},
            "scopes": ["service", "instance"],
            "silencePeriod": "1h",
        },
        minCalls=5,
    )

    assert spec.alarm_scopes == (Scope.SERVICE, Scope.INSTANCE)
    assert spec.required_calls == 5
    assert spec.describe_alarms() == "a_rule, b_rule, level=CRITICAL (service, instance)"


@pytest.mark.parametrize(
    ("alarms", "message"),
    [
        ({"rules": "a_rule"}, "alarms.rules: is 'a_rule' instead of a list. Write [a_rule]"),
        (
            {"rules": ["service_sla"]},
            "alarms.rules.0: 'service_sla' is not the name of an alarm rule, which ends with",
        ),
        ({"rules": ["a_rule", "a_rule"]}, "alarms.rules: has a value twice"),
        ({"rules": [f"{at}_rule" for at in range(21)]}, "alarms.rules: "),
        ({"tags": {str(at): "a" for at in range(11)}}, "alarms.tags: "),
        ({"tags": {"level": 1}}, "alarms.tags.level: "),
        ({"scopes": ["relation"]}, "alarms.scopes.0: is 'relation'. Write 'service', 'instance' or 'endpoint'"),
        ({"silencePeriod": "3h"}, "alarms.silencePeriod: is 3h, must be at most 2h"),
        ({"silencePeriod": "90s"}, "alarms.silencePeriod: 1m30s is not in whole minutes"),
        ({"rule": "a_rule"}, "alarms.rule: unknown key. Write rules: […]."),
        ({"keyword": "a"}, "alarms.keyword: unknown key. Remove it. Select alarms by rules or tags."),
        (["a_rule"], "alarms: "),
    ],
    ids=str,
)
def test_invalid_value_is_an_error_that_names_the_key(alarms: object, message: str) -> None:
    assert problem_of(alarms).startswith(message)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("rules", "It belongs below alarms."),
        ("scope", "Write alarms: {scopes: […]}"),
        ("interval", "Write window: only a query has an interval."),
        ("objective", "Only indicators by name can be judged."),
        ("percentile", "It belongs to a block with sli."),
    ],
)
def test_key_of_another_place_gets_its_hint(key: str, hint: str) -> None:
    assert problem_of({}, **{key: "5m"}).startswith(f"{key}: unknown key. {hint}")


def test_argument_that_argo_left_in_a_rule_is_rejected() -> None:
    assert "alarms.rules" in problem_of({"rules": ["{{args.rule}}"]})
