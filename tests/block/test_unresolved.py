"""Tests of arguments that Argo left in a block: an Error at once, with the key and the text."""

import json
from typing import Any

import pytest

from skywalking_provider.block import BlockError, parse_block

QUERY = """query q($duration: Duration!) { a: readMetricsValues(condition: {name: "service_cpm", entity:
  {scope: Service, serviceName: "%s", normal: true}}, duration: $duration) { values { values { value } } } }"""


def block(**keys: Any) -> bytes:
    return json.dumps({"sli": "success-rate", "window": "5m", "service": "reviews"} | keys).encode()


@pytest.mark.parametrize(
    ("keys", "key", "argument"),
    [
        ({"service": "{{args.subset}}|reviews|bookinfo|cluster-1|-"}, "service", "{{args.subset}}"),
        ({"service": "{{ args.subset }}|reviews"}, "service", "{{ args.subset }}"),
        ({"service": "{{inputs.parameters.name}}.bookinfo"}, "service", "{{inputs.parameters.name}}"),
        ({"service": {"name": "reviews", "subset": "{{args.subset}}"}}, "service.subset", "{{args.subset}}"),
        (
            {"instances": {"podTemplateHash": "{{templates.canary.podTemplateHash}}"}},
            "instances.podTemplateHash",
            "{{templates.canary.podTemplateHash}}",
        ),
        ({"instances": {"name": "{{args['pod']}}.*"}}, "instances.name", "{{args['pod']}}"),
        ({"endpoint": "/x/{{{args.id}}}"}, "endpoint", "{{args.id}}"),
        ({"window": "{{args.window}}"}, "window", "{{args.window}}"),
        ({"backend": "{{args.backend"}, "backend", "{{args.backend"),
        (
            {"conditions": {"language": "cel", "success": "result > {{args.limit}}"}},
            "conditions.success",
            "{{args.limit}}",
        ),
    ],
)
def test_unresolved_argument_is_an_error_with_key_and_text(keys: dict[str, Any], key: str, argument: str) -> None:
    with pytest.raises(BlockError) as caught:
        parse_block(block(**keys))

    assert f"invalid: {key}: {argument} was not replaced. Argo does not replace arguments" in str(caught.value)
    assert caught.value.key == key.partition(".")[0]


def test_unresolved_argument_in_a_query_is_an_error() -> None:
    content = {"interval": "3m", "query": QUERY % "{{args.subset}}|reviews"}
    with pytest.raises(BlockError, match=r"invalid: query: \{\{args\.subset\}\} was not replaced"):
        parse_block(json.dumps(content).encode())


@pytest.mark.parametrize(
    "name", ["/x/{id}", "/x/{{id}}", "/x/{{{id}}}", "{{{", "/args/{args.x}", "{{version}}", "{{ arguments.x }}", "}}"]
)
def test_other_braces_are_part_of_a_name(name: str) -> None:
    spec = parse_block(block(endpoint=name))

    assert getattr(spec, "endpoint", None) == name


def test_argument_in_a_deeply_nested_value_is_found() -> None:
    content: Any = "{{args.x}}"
    for _ in range(800):
        content = {"a": content}
    with pytest.raises(BlockError, match="was not replaced"):
        parse_block(block(service=content))


def test_long_argument_is_cut() -> None:
    with pytest.raises(BlockError) as caught:
        parse_block(block(service="{{args." + "x" * 2000 + "}}"))

    assert len(str(caught.value)) < 400
