"""From the built-in provider's block to ours: the same keys, one level deeper."""

import json
import math
import re
from dataclasses import dataclass
from datetime import timedelta

from graphql import FieldNode, ObjectValueNode, OperationDefinitionNode
from yaml.nodes import MappingNode, Node, ScalarNode

from skywalking_provider.errors import ProviderError
from skywalking_provider.migrate import notes
from skywalking_provider.migrate.editor import Editor
from skywalking_provider.migrate.notes import Note
from skywalking_provider.migrate.problem import MigrationError
from skywalking_provider.migrate.template import Place
from skywalking_provider.migrate.yamltree import child, entries, line_of, text, texts
from skywalking_provider.spec import parse_block
from skywalking_provider.spec.duration import format_duration, parse_duration
from skywalking_provider.spec.query import parse_query

TAG = re.compile(r"{{.*?}}", re.DOTALL)
_STRING = re.compile(r'"""(?:[^"]|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"')
_MINUTE = timedelta(minutes=1)
_ANY_QUERY = "{ version }"


@dataclass(frozen=True, slots=True)
class _Read:
    alias: str
    metric: str
    single: bool
    labels: bool
    normal: bool


def nest(place: Place, plugin: str, editor: Editor) -> list[Note]:
    """Rewrite one block.

    Args:
        place: The block.
        plugin: The plugin's name.
        editor: Takes the edits.

    Raises:
        MigrationError: The block is wrong, to the built-in provider too, or says what ours refuses.
    """
    editor.nest(place.key, place.block, "plugin", plugin, flow=place.flow)
    found = _interval(place, editor)
    found += _reads(place)
    found.append(_address(place))
    check(place)
    found += _secrets(place)
    return found


def check(place: Place) -> None:
    """Parse the block as the provider will, with arguments put in.

    Raises:
        MigrationError: It would be an Error, with the line of the key.
    """
    if not isinstance(place.block, MappingNode):
        raise MigrationError(
            place.line, f"the block of the metric {place.metric} is empty: it needs interval and query"
        )
    try:
        parse_block(json.dumps({key: _json(key, *pair) for key, pair in entries(place.block).items()}).encode())
    except ProviderError as error:
        raise _at_its_key(place, str(error)) from error


def _json(key: str, node: Node, value: Node) -> object:
    if isinstance(value, ScalarNode):
        return _resolved(key, value.value)
    inner = entries(value)
    if any(
        isinstance(one, MappingNode) for one, _ in getattr(value, "value", ())
    ):  # what unquoted {{args.x}} is in YAML
        raise MigrationError(line_of(node), f'{key}: quote the argument: "{{{{args.name}}}}"')
    return {name: _json(name, *pair) for name, pair in inner.items()}


def is_templated(written: str) -> bool:
    """Whether Argo puts an argument into a text."""
    return "{{" in written


def _resolved(key: str, written: str) -> str:
    """A text as it may be once Argo has put arguments into it."""
    if not is_templated(written):
        return _rounded(written) or written if key == "interval" else written
    match key:
        case "interval" | "window":
            return "1m"
        case "address":
            return "http://oap:12800"
        case "query":
            return _ANY_QUERY if "{{" in _STRING.sub("", written) else written
    return written


def _at_its_key(place: Place, message: str) -> MigrationError:
    """The place of the first key that the message names; in a query, the line that GraphQL names."""
    what = message.removeprefix("the block under provider.plugin is wrong: ")
    key = what.split(":", 1)[0].split(".", 1)[0]
    pair = entries(place.block).get(key)
    if pair is None:
        return MigrationError(place.line, f"the block of the metric {place.metric}: {what}")
    line = line_of(pair[0])
    found = re.search(r"at line (\d+)", what)
    if found and isinstance(pair[1], ScalarNode) and pair[1].style == "|":
        line = line_of(pair[1]) + int(found.group(1))
    return MigrationError(line, what)


def _interval(place: Place, editor: Editor) -> list[Note]:
    found = [notes.WINDOW, notes.ZONE]
    key, value = entries(place.block).get("interval", (None, None))
    written = text(value)
    if is_templated(written):
        found.append(notes.templated_interval(written))
    elif key and isinstance(value, ScalarNode) and (whole := _rounded(written)):
        editor.set_text(key, value, whole)
        found.append(notes.rounded(written, whole))
    return found


def _rounded(written: str) -> str:
    """The next whole minute; empty where it is one, or no duration at all."""
    try:
        length = parse_duration(written)
    except ValueError:
        return ""
    minutes = max(1, math.ceil(length / _MINUTE))
    return "" if length == minutes * _MINUTE else format_duration(minutes * _MINUTE)


def _reads(place: Place) -> list[Note]:
    query = text(child(place.block, "query"))
    found = [notes.NO_DATA, notes.OUTAGE]
    reason = _parses_not(query)
    if reason:
        return [notes.ABSENT, *found, *([notes.unchecked(reason)] if is_templated(query) else [])]
    reads = _metric_reads(query)
    lists = [read.metric.endswith("_cpm") for read in reads if not read.single]
    if any(lists):
        found.insert(0, notes.COUNTS)
    if not all(lists):
        found.insert(0, notes.ABSENT)
        for name, (_, condition) in place.conditions.items():
            if index := re.search(r"values\s*\[\s*-?\d+\s*\]", TAG.sub("", condition.value)):
                found.append(notes.index_moves(name, index.group()))
    found += [notes.not_normal(read.alias) for read in reads if not read.normal]
    found += [notes.old_labels(read.alias) for read in reads if read.labels]
    return found


def _metric_reads(query: str) -> list[_Read]:
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
                    _Read(
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


def _parses_not(query: str) -> str:
    """Why a text is no query; empty where it is one."""
    try:
        parse_query(query)
    except ValueError as error:
        return str(error)
    return ""


def _address(place: Place) -> Note:
    return notes.ADDRESS if text(child(place.block, "address")) else notes.NO_ADDRESS


def _secrets(place: Place) -> list[Note]:
    found = []
    parts = {"the block": list(texts(place.block))}
    parts |= {name: [condition.value] for name, (_, condition) in place.conditions.items()}
    for where, written in parts.items():
        tags = {tag.strip("{} ").removeprefix("args.") for one in written for tag in TAG.findall(one)}
        if used := sorted(tags & place.secrets):
            found.append(notes.secret(" and ".join(used), where))
    return found
