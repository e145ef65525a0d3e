"""docs/analysis-template.schema.json is up to date, accepts what is right, and rejects wrong keys and types."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from skywalking_provider.cli import app
from skywalking_provider.tools.lint.editor_schema import build_template_schema
from skywalking_provider.tools.lint.registry import Rule
from tests.tools.lint.harness import PLUGIN, ROOT, read_cases, wrap
from tests.tools.lint.test_manifests import documented_templates

COMMITTED = ROOT / "docs" / "analysis-template.schema.json"
SCHEMA = build_template_schema(PLUGIN)
VALIDATOR = Draft7Validator(SCHEMA)
ACCEPTED = {
    Rule.BLOCK_HASH,
    Rule.CONDITION_CANNOT_PASS,
    Rule.JUDGED_LIMIT,
    Rule.LIMIT_OVERLAP,
    Rule.THRESHOLD_FIRST_NOISE,
    Rule.ROLLOUT_ENDLESS,
}
"""Some of the rules that a schema cannot express."""


def errors(document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def documents(text: str) -> Iterator[Any]:
    return (one for one in yaml.safe_load_all(text) if one is not None)


def test_committed_schema_is_up_to_date() -> None:
    assert json.loads(COMMITTED.read_text()) == SCHEMA, (
        "Renew it: skywalking-provider schema --template > docs/analysis-template.schema.json"
    )


def test_schema_is_valid() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_every_reference_has_a_target() -> None:
    text = json.dumps(SCHEMA)
    targets = {part.partition('"')[0] for part in text.split('"#/$defs/')[1:]}

    assert targets <= SCHEMA["$defs"].keys()


@pytest.mark.parametrize("file", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda file: file.name)
def test_examples_are_accepted(file: Any) -> None:
    for document in documents(file.read_text()):
        assert errors(document) == []


def test_templates_of_the_documentation_are_accepted() -> None:
    templates = 0
    for source in documented_templates():
        for document in documents(source.text):
            if isinstance(document, dict):
                templates += document.get("kind") == "AnalysisTemplate"
                assert errors(document) == [], source.name

    assert templates >= 8


@pytest.mark.parametrize("rule", sorted(ACCEPTED))
def test_templates_that_are_wrong_by_meaning_only_are_accepted(rule: Rule) -> None:
    for case in read_cases():
        for document in documents(case.text) if case.rule == rule else ():
            assert errors(document) == [], case.name


def template(**metric: Any) -> Any:
    block = metric.pop("block", {"sli": "apdex", "window": "5m", "service": "a"})
    content = {"name": "a", "provider": {"plugin": {PLUGIN: block}}} | metric
    return yaml.safe_load(wrap("- name: a\n")) | {"spec": {"metrics": [content]}}


@pytest.mark.parametrize(
    "wrong",
    [
        template(sucessCondition="result > 1"),
        template(interval=60),
        template(count=1.5),
        template(block={"sli": "apdex", "service": "a"}),
        template(block={"sli": "apdx", "window": "5m", "service": "a"}),
        template(block={"sli": "apdex", "window": "5m", "service": "a", "windw": "5m"}),
        template(provider={"plugin": {}}),
        template(provider={"plugin": {PLUGIN: {"sli": "apdex", "window": "5m", "service": "a"}, "b": {}}}),
        {"kind": "ClusterAnalysisTemplate", "spec": {"metrics": {}}},
    ],
)
def test_wrong_key_or_type_is_rejected(wrong: Any) -> None:
    assert errors(wrong)


@pytest.mark.parametrize("document", [template(count="{{args.count}}"), {"kind": "Rollout", "spec": 5}, template()])
def test_arguments_and_other_kinds_are_accepted(document: Any) -> None:
    assert errors(document) == []


def test_command_prints_the_schema_for_another_name_of_the_plugin() -> None:
    output = CliRunner().invoke(app, ["schema", "--template", "--plugin-name", "shop/apm"]).stdout

    assert json.loads(output) == build_template_schema("shop/apm")
