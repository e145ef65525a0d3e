"""JSON Schema of the block, generated from the models that parse it.

The schema accepts every valid block. It does not have the rules across keys, such as "percentile belongs to latency".
It describes the block as written in a template, so any text may hold `{{args.x}}`.
"""

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.block.parse import JUDGED_KEYS, QUERY_TYPES
from skywalking_provider.support.durations import format_duration
from skywalking_provider.support.strict_model import StrictModel

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:skywalking-provider:block:v1"

_DURATION = r"^\s*([-+]?0|[-+]?([0-9]{1,9}(\.[0-9]{0,9})?(h|ms|m|s|us|µs|ns))+)\s*$"
_NUMBER = r"^\s*[-+]?[0-9_.]+([eE][-+]?[0-9]+)?\s*$"
_ARGUMENT = {"type": "string", "pattern": r"\{\{", "description": "Argument of the template, {{args.name}}."}
_LENGTH = {
    "anyOf": [{"type": "string", "pattern": _DURATION}, {"const": 0}, _ARGUMENT],
    "description": "Duration in Go's notation.",
    "examples": ["3m", "1h30m", "90s"],
}
_SHARED: dict[str, dict[str, Any]] = {"Duration": _LENGTH, "Argument": _ARGUMENT}
_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def build_block_schema() -> dict[str, Any]:
    """Build the schema: exactly one of the query types."""
    models = [*QUERY_TYPES.values(), JudgedSpec]
    _, generated = models_json_schema([(model, "validation") for model in models], schema_generator=_Generator)
    definitions: dict[str, Any] = generated["$defs"]
    for model in _subclasses(StrictModel):
        if model.__name__ in definitions:
            _describe(definitions[model.__name__], model)
    # Without a required key, a block that lacks its window would be a judged one.
    definitions[JudgedSpec.__name__]["anyOf"] = [{"required": [key]} for key in sorted(JUDGED_KEYS)]
    definitions = {name: _with_shared_references(one) for name, one in definitions.items()} | {
        name: {key: _with_shared_references(value) for key, value in one.items()} for name, one in _SHARED.items()
    }
    return {
        "$schema": SCHEMA_DIALECT,
        "$id": SCHEMA_ID,
        "title": "Block of a metric under provider.plugin",
        "description": "Exactly one of the keys query, expression, sli and alarms selects the query type. An sli "
        "block with compare or objective is judged.",
        "type": "object",
        "oneOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in models],
        "$defs": definitions,
    }


class _Generator(GenerateJsonSchema):
    """Schema generator that adds what the models also accept: Go's durations, and numbers and words as text."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:  # noqa: ARG002
        return {"anyOf": [_LENGTH]}

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return _or_text(super().int_schema(schema))

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return _or_text(super().float_schema(schema))

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return _or_argument(super().enum_schema(schema))

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        return _or_argument(super().literal_schema(schema))

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        made = super().str_schema(schema)
        if "pattern" not in made:
            return made
        if schema.get("strip_whitespace"):
            made["pattern"] = rf"^\s*{made['pattern'].removeprefix('^').removesuffix('$')}\s*$"
        return _or_argument(made)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", 0) in (None, ""):
            del made["default"]  # the key is optional in any case
        return made

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return format_duration(dft)
        return dft.value if isinstance(dft, Enum) else super().encode_default(dft)

    def get_title_from_name(self, name: str) -> str:
        return to_camel(name)


def _or_text(number: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [number, {"type": "string", "pattern": _NUMBER}, _ARGUMENT]}


def _or_argument(schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [schema, _ARGUMENT]}


def _subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for below in model.__subclasses__():
        yield below
        yield from _subclasses(below)


def _with_shared_references(node: Any) -> Any:
    """Return a part of the schema with references to the shared definitions."""
    for name, shared in _SHARED.items():
        if node == shared:
            return {"$ref": f"#/$defs/{name}"}
    if isinstance(node, dict):
        match node:
            case {"anyOf": [dict(only)]}:  # one alternative: keep the key's title and default beside the reference
                return _with_shared_references(only) | {key: value for key, value in node.items() if key != "anyOf"}
        return {key: _with_shared_references(value) for key, value in node.items()}
    return [_with_shared_references(one) for one in node] if isinstance(node, list) else node


def _describe(definition: dict[str, Any], model: type[BaseModel]) -> None:
    """Add descriptions to a definition: the docstring for the model, its `Attributes:` for the keys."""
    summary, _, _ = inspect.getdoc(model).partition("\n\nAttributes:")  # type: ignore[union-attr]
    definition["description"] = _with_yaml_keys(summary, model)
    described = {
        name: text for one in reversed(model.__mro__) for name, text in _ENTRY.findall(inspect.getdoc(one) or "")
    }
    for name, field in model.model_fields.items():
        if name in described:
            definition["properties"][field.alias or name]["description"] = _with_yaml_keys(described[name], model)


def _with_yaml_keys(text: str, model: type[BaseModel]) -> str:
    """Return a text in one line, with the keys in camelCase."""
    names = "|".join(name for name in model.model_fields if "_" in name)
    line = " ".join(text.split())
    return re.sub(rf"\b({names})\b", lambda match: to_camel(match[1]), line) if names else line
