"""Rewriting of a built-in provider's block to a block of this provider: the same keys, one level deeper."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from graphql import FieldNode, ObjectValueNode, OperationDefinitionNode
from yaml.nodes import MappingNode, Node, ScalarNode

from skywalking_provider.block import BlockError, parse_block
from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.support.durations import format_duration, parse_duration
from skywalking_provider.tools.migrate import notes
from skywalking_provider.tools.migrate.find_blocks import BlockLocation
from skywalking_provider.tools.migrate.notes import Note
from skywalking_provider.tools.migrate.yaml_editor import Editor
from skywalking_provider.tools.migrate.yaml_nodes import MigrationError, child, entries, line_number, text, texts

TAG = re.compile(r"{{.*?}}", re.DOTALL)
_STRING = re.compile(r'"""(?:[^"]|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"')
_MINUTE = timedelta(minutes=1)
_ANY_QUERY = "{ version }"
_SAMPLES: Final[Mapping[str, str]] = {
    "absent": "drop",
    "address": "http://oap:12800",
    "aggregate": "highest",
    "compatibility": "argo",
    "earlierPods": "include",
    "interval": "1m",
    "language": "cel",
    "layer": "MESH",
    "maxWait": "1m",
    "minCalls": "1",
    "onNoData": "inconclusive",
    "onOutage": "inconclusive",
    "outageGrace": "1m",
    "percentile": "99",
    "podTemplateHash": "6c85f7bf4",
    "scale": "1",
    "settle": "1m",
    "since": "run",
    "sli": "latency",
    "window": "1m",
}
"""A valid value of each key that does not accept every text, for values that contain arguments."""


@dataclass(frozen=True, slots=True)
class _MetricField:
    """A field of a query that reads a metric."""

    alias: str
    metric: str
    single: bool
    labels: bool
    normal: bool


def move_block(location: BlockLocation, plugin: str, editor: Editor) -> list[Note]:
    """Rewrite one block and return its notes.

    Args:
        location: The block.
        plugin: Name of the plugin.
        editor: Collects the edits.

    Raises:
        MigrationError: The block is invalid for the built-in provider or for this one.
    """
    editor.nest(location.key, location.block, "plugin", plugin, flow=location.flow)
    added = _rewrite_interval(location, editor)
    added += _query_notes(location)
    added.append(_address_note(location))
    validate_block(location)
    added += _secret_notes(location)
    return added


def validate_block(location: BlockLocation) -> None:
    """Parse the block as the provider will, with sample values for arguments.

    Raises:
        MigrationError: The block is invalid; the error has the line of the key.
    """
    if not isinstance(location.block, MappingNode):
        raise MigrationError(location.line, f"metric {location.metric}: the block is empty. Write interval and query.")
    try:
        parse_block(
            json.dumps({key: _sample_value(key, *pair) for key, pair in entries(location.block).items()}).encode()
        )
    except BlockError as error:
        raise _error_at_key(location, error) from error


def _sample_value(key: str, node: Node, value: Node) -> object:
    if isinstance(value, ScalarNode):
        return _sample_text(key, value.value)
    inner = entries(value)
    if any(
        isinstance(one, MappingNode) for one, _ in getattr(value, "value", ())
    ):  # YAML reads an unquoted {{args.x}} as a mapping inside a mapping
        raise MigrationError(line_number(node), f'{key}: argument without quotes. Write "{{{{args.name}}}}".')
    return {name: _sample_value(name, *pair) for name, pair in inner.items()}


def is_templated(text: str) -> bool:
    """Return whether a text contains an argument, which Argo replaces."""
    return "{{" in text


def _sample_text(key: str, text: str) -> str:
    """Return a text as it may be once Argo has replaced its arguments."""
    if not is_templated(text):
        return _round_up_to_minute(text) or text if key == "interval" else text
    if key == "query":
        return _ANY_QUERY if "{{" in _STRING.sub("", text) else TAG.sub("sample", text)
    return _SAMPLES.get(key) or TAG.sub("sample", text)


def _error_at_key(location: BlockLocation, error: BlockError) -> MigrationError:
    """Return the error with the line of the invalid key, or the line inside a query's block scalar."""
    pair = entries(location.block).get(error.key)
    if pair is None:
        return MigrationError(location.line, f"metric {location.metric}: {error.problem}")
    key, value = pair
    if error.query_line and isinstance(value, ScalarNode) and value.style == "|":
        return MigrationError(line_number(value) + error.query_line, error.problem)
    return MigrationError(line_number(key), error.problem)


def _rewrite_interval(location: BlockLocation, editor: Editor) -> list[Note]:
    added = [notes.WINDOW, notes.ZONE]
    key, value = entries(location.block).get("interval", (None, None))
    written = text(value)
    if is_templated(written):
        added.append(notes.templated_interval(written))
    elif key and isinstance(value, ScalarNode) and (whole := _round_up_to_minute(written)):
        editor.set_text(key, value, whole)
        added.append(notes.rounded_interval(written, whole))
    return added


def _round_up_to_minute(text: str) -> str:
    """Return the next whole minute; empty if the text is a whole minute or not a duration."""
    try:
        length = parse_duration(text)
    except ValueError:
        return ""
    minutes = max(1, math.ceil(length / _MINUTE))
    return "" if length == minutes * _MINUTE else format_duration(minutes * _MINUTE)


def _query_notes(location: BlockLocation) -> list[Note]:
    query = text(child(location.block, "query"))
    added = [notes.SINCE, notes.NO_DATA, notes.OUTAGE, notes.NAMES]
    reason = _syntax_error(query)
    if reason:
        return [notes.ABSENT, *added, *([notes.unchecked_query(reason)] if is_templated(query) else [])]
    reads = _metric_reads(query)
    lists = [read.metric.endswith("_cpm") for read in reads if not read.single]
    if any(lists):
        added.insert(0, notes.COUNTS)
    if not all(lists):
        added.insert(0, notes.ABSENT)
        for name, (_, condition) in location.conditions.items():
            if index := re.search(r"values\s*\[\s*-?\d+\s*\]", TAG.sub("", condition.value)):
                added.append(notes.moving_index(name, index.group()))
    added += [notes.missing_normal(read.alias) for read in reads if not read.normal]
    added += [notes.old_labels(read.alias) for read in reads if read.labels]
    return added


def _metric_reads(query: str) -> list[_MetricField]:
    reads = []
    for operation in parse_query(query).definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        for field in operation.selection_set.selections:
            if isinstance(field, FieldNode) and field.name.value.startswith("read"):
                arguments = {one.name.value: one.value for one in field.arguments or ()}
                condition = _literals(arguments.get("condition"))
                entity = _literals(condition.get("entity"))
                labels = arguments.get("labels")
                reads.append(
                    _MetricField(
                        alias=(field.alias or field.name).value,
                        metric=getattr(condition.get("name"), "value", ""),
                        single=field.name.value.endswith("Value"),
                        labels=bool(getattr(labels, "values", ())),
                        normal=not entity or "normal" in entity,
                    )
                )
    return reads


def _literals(node: object) -> dict[str, object]:
    if not isinstance(node, ObjectValueNode):
        return {}
    return {one.name.value: one.value for one in node.fields}


def _syntax_error(query: str) -> str:
    """Return why a text is not a query; empty if it is one."""
    try:
        parse_query(query)
    except ValueError as error:
        return str(error)
    return ""


def _address_note(location: BlockLocation) -> Note:
    return notes.ADDRESS if text(child(location.block, "address")) else notes.NO_ADDRESS


def _secret_notes(location: BlockLocation) -> list[Note]:
    added = []
    parts = {"the block": list(texts(location.block))}
    parts |= {name: [condition.value] for name, (_, condition) in location.conditions.items()}
    for part, values in parts.items():
        tags = {tag.strip("{} ").removeprefix("args.") for value in values for tag in TAG.findall(value)}
        if used := sorted(tags & location.secrets):
            added.append(notes.secret_in_block(" and ".join(used), part))
    return added
