"""Comparison of two versions of a JSON Schema."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.compatibility.schema_diff import find_incompatibilities

ROOT = Path(__file__).parents[2]
BLOCK = json.loads((ROOT / "docs/block.schema.json").read_text())
VALUES = json.loads((ROOT / "charts/skywalking-provider/values.schema.json").read_text())
OLD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["url"],
    "properties": {
        "url": {"type": "string", "pattern": "^http"},
        "retries": {"type": ["integer", "null"], "minimum": 0, "maximum": 10},
        "level": {"enum": ["debug", "info"]},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "names": {"type": "array", "items": {"type": "string"}},
        "window": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/Duration"}]},
    },
    "$defs": {"Duration": {"type": "string", "maxLength": 20}},
}
KEYS = OLD["properties"]


def changed(change: Callable[[dict[str, Any]], object], old: dict[str, Any] = OLD) -> list[str]:
    new = copy.deepcopy(old)
    change(new)
    return find_incompatibilities(old, new)


def set_key(key: str, **keywords: Any) -> Callable[[dict[str, Any]], object]:
    return lambda new: new["properties"].update({key: {**KEYS.get(key, {}), **keywords}})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda new: new["properties"].pop("labels"), "/labels: the key was removed"),
        (lambda new: new["required"].append("level"), "/: the key level is required now"),
        (set_key("retries", type="integer"), "/retries: the type null is not allowed any more"),
        (set_key("retries", minimum=1), "/retries: minimum is 1 now, was 0"),
        (set_key("retries", maximum=5), "/retries: maximum is 5 now, was 10"),
        (set_key("level", enum=["info"]), "/level: the value 'debug' is not allowed any more"),
        (set_key("url", pattern="^https"), "/url: pattern changed"),
        (set_key("url", enum=["http://oap"]), "/url: allows only ['http://oap'] now"),
        (set_key("url", minLength=1), "/url: minLength is 1 now, was not set"),
        (set_key("url", **{"not": {"const": "http"}}), "/url: not was added"),
        (set_key("labels", additionalProperties=False), "/labels/*: is not allowed any more"),
        (set_key("names", items={"type": "integer"}), "/names/[]: the type string is not allowed any more"),
        (set_key("window", anyOf=[{"type": "number"}]), "/window: the type string is not allowed any more"),
        (lambda new: new["$defs"]["Duration"].update(maxLength=9), "/window: maxLength is 9 now, was 20"),
    ],
)
def test_narrower_schema_is_reported(change: Callable[[dict[str, Any]], object], line: str) -> None:
    assert changed(change) == [line]


@pytest.mark.parametrize(
    "change",
    [
        set_key("new", type="string", description="New key."),
        set_key("level", enum=["debug", "info", "error"]),
        set_key("level", enum=None, anyOf=[{"enum": ["debug"]}, {"type": "string"}]),
        set_key("retries", type=["number", "null"]),
        set_key("retries", maximum=20, minimum=-1),
        set_key("retries", type=None, anyOf=[{"type": "null"}, {"type": "integer"}]),
        set_key("url", description="Address.", default="http://oap"),
        set_key("window", anyOf=[{"type": "boolean"}, *KEYS["window"]["anyOf"]]),
        set_key("names", items={"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        lambda new: new["required"].clear(),
    ],
)
def test_wider_schema_is_compatible(change: Callable[[dict[str, Any]], object]) -> None:
    def without_none(new: dict[str, Any]) -> None:
        change(new)
        new["properties"] = {
            key: {name: value for name, value in part.items() if value is not None}
            for key, part in new["properties"].items()
        }

    assert changed(without_none) == []


def test_recursive_schema_is_compared_once() -> None:
    old: dict[str, Any] = {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "name": {"type": "string"}}}
        },
    }
    assert changed(lambda _: None, old) == []
    assert changed(lambda new: new["$defs"]["Node"]["properties"]["name"].update(type="integer"), old) == [
        "/name: the type string is not allowed any more"
    ]


@pytest.mark.parametrize("published", [BLOCK, VALUES], ids=["block", "values"])
def test_removed_key_of_each_published_definition_is_reported(published: dict[str, Any]) -> None:
    definitions = "$defs" if "$defs" in published else "definitions"
    assert changed(lambda _: None, published) == []
    for name, definition in published[definitions].items():
        for key in list(definition.get("properties", {}))[:1]:
            assert changed(lambda new, name=name, key=key: new[definitions][name]["properties"].pop(key), published)
            added = {"added": {"type": "string"}}
            assert not changed(
                lambda new, name=name, added=added: new[definitions][name]["properties"].update(added), published
            )
