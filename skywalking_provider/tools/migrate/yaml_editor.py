"""Editor of a YAML text that changes only the edited places.

Each edit records the expected change of the tree. `finish` parses the new text and compares both trees.
"""

import json
import re
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from skywalking_provider.tools.migrate.yaml_nodes import (
    MigrationError,
    content_start,
    is_alias,
    line_number,
    parse_documents,
    value_end,
)

_STRING = "tag:yaml.org,2002:str"

Tree = tuple[object, ...]
"""A node without its position, so that two texts with the same meaning are equal."""

Value = str | dict[str, str]
"""A value to write: a text, or a map of texts."""


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


class Editor:
    """Edits of one text.

    Args:
        source: The text.
        roots: Root nodes of its documents, from `parse_documents`.
    """

    def __init__(self, source: str, roots: list[Node]) -> None:
        self.source = source
        self._roots = roots
        self._newline = "\r\n" if "\r\n" in source else "\n"
        self._edits: set[_Edit] = set()
        self._scalars: dict[int, str] = {}
        self._replacements: dict[int, list[tuple[str, Value]]] = {}
        self._nested: dict[int, tuple[str, str]] = {}
        self._steps: dict[int, str] = {}

    def nest(self, key: ScalarNode, value: Node, outer: str, inner: str, *, flow: bool) -> None:
        """Replace `key: value` by `outer: {inner: value}`, in the style of the source.

        Raises:
            MigrationError: The layout of the source cannot be nested by inserting text.
        """
        self._nested[id(key)] = (outer, inner)
        start, end = key.start_mark.index, value_end(self.source, key, value)
        if flow:
            quote = '"' if key.style == '"' else ""
            name = json.dumps(inner) if quote else inner
            self._edit(start, key.end_mark.index, f"{quote}{outer}{quote}: {{{name}")
            self._edit(end, end, "}")
            return
        line_start = self.source.rfind("\n", 0, start) + 1
        margin = self.source[line_start:start]
        if margin.strip(" "):
            raise MigrationError(
                line_number(key),
                f"unsupported layout: write {key.value!r} on its own line, without {margin.strip()!r}.",
            )
        step = self._step(key, value)
        self._edit(start, key.end_mark.index, f"{outer}:{self._newline}{margin}{step}{inner}")
        self._indent(len(margin), end, value, step, self.source.find("\n", start) + 1)

    def rename(self, key: ScalarNode, name: str) -> None:
        """Rename a key."""
        self._scalars[id(key)] = name
        quote = key.style if key.style in ("'", '"') else ""
        self._edit(key.start_mark.index, key.end_mark.index, f"{quote}{name}{quote}")

    def set_text(self, key: ScalarNode, value: ScalarNode, text: str) -> None:
        """Replace the text of a scalar and keep its style.

        Raises:
            MigrationError: The scalar is an alias, or a folded text with several paragraphs.
        """
        if is_alias(key, value):
            raise MigrationError(line_number(key), f"{key.value}: the text is a YAML alias (*). Write it out.")
        start, end = content_start(self.source, value), value_end(self.source, key, value)
        if value.style in ("|", ">"):
            start = self.source.index("\n", start) + 1
            trailing_breaks = len(value.value) - len(value.value.rstrip("\n"))
            lines = text.rstrip("\n").split("\n")
            if value.style == ">" and len(lines) > 1:
                raise MigrationError(
                    line_number(key), f"{key.value}: the folded text (>) has several paragraphs. Write it in one."
                )
            margin = re.match(r"\n* *", self.source[start:end].replace("\r", ""))
            indent = (margin.group() if margin else "").replace("\n", "")
            self._edit(start, end, self._newline.join(indent + line if line else "" for line in lines))
            text = "\n".join(lines) + "\n" * trailing_breaks
        else:
            self._edit(start, end, format_scalar(text, style=value.style))
        self._scalars[id(value)] = text

    def replace_entry(self, key: ScalarNode, value: Node, new: list[tuple[str, Value]], *, flow: bool) -> None:
        """Replace one key and its value by other keys.

        Args:
            key: The key.
            value: Its value.
            new: New keys and values.
            flow: Whether the mapping that contains the key is in flow style.
        """
        self._replacements[id(key)] = new
        start, end = key.start_mark.index, value_end(self.source, key, value)
        quote = key.style if key.style in ("'", '"') else ""
        margin = self.source[self.source.rfind("\n", 0, start) + 1 : start]
        separator = ", " if flow else f"{self._newline}{' ' * len(margin)}{self._step_around(start)}"
        self._edit(
            start,
            end,
            separator.join(f"{quote}{name}{quote}: {_format_value(one, flow=flow, quote=quote)}" for name, one in new),
        )

    def finish(self) -> str:
        """Return the text after all edits.

        Raises:
            MigrationError: The new text does not have the expected tree.
        """
        replaced = sorted((edit for edit in self._edits if edit.end > edit.start), key=lambda edit: edit.start)
        inserted = [
            edit
            for edit in self._edits
            if edit.start == edit.end and not any(one.start < edit.start < one.end for one in replaced)
        ]
        done = self.source
        for edit in sorted([*replaced, *inserted], key=lambda edit: (edit.start, edit.end), reverse=True):
            done = done[: edit.start] + edit.text + done[edit.end :]
        try:
            actual = [_node_tree(node) for node in parse_documents(done)]
        except MigrationError as error:
            raise MigrationError(1, f"unsupported layout: the file cannot be rewritten safely ({error}).") from error
        for before, after in zip(self._roots, actual, strict=True):
            if self._expected_tree(before) != after:
                raise MigrationError(
                    line_number(before), "unsupported layout: the document cannot be rewritten safely."
                )
        return done

    def _edit(self, start: int, end: int, text: str) -> None:
        self._edits.add(_Edit(start, end, text))

    def _step(self, key: ScalarNode, value: Node) -> str:
        """Return one step of indentation, as the author indents below the key."""
        width = 2
        if isinstance(value, MappingNode) and not value.flow_style and value.value and not is_alias(key, value):
            width = max(2, value.value[0][0].start_mark.column - key.start_mark.column)
        return " " * width

    def _indent(self, column: int, end: int, value: Node, step: str, at: int) -> None:
        """Indent every line up to `end`, and the comments after it that belong to the value."""
        while 0 < at < len(self.source):
            stop = self.source.find("\n", at) + 1 or len(self.source)
            line = self.source[at:stop].rstrip("\r\n")
            width = len(line) - len(line.lstrip(" "))
            comment, blank = line[width : width + 1] == "#", width == len(line)
            if at >= end and (not (comment or blank) or at >= value.end_mark.index):
                return
            if (not (comment or blank) or width > column) and line:
                self._edit(at, at, step)
                self._steps[at] = step
            at = stop

    def _step_around(self, start: int) -> str:
        """Return the indentation that was inserted before the line of a position."""
        return self._steps.get(self.source.rfind("\n", 0, start) + 1, "")

    def _expected_tree(self, node: Node) -> Tree:
        if isinstance(node, ScalarNode):
            return (_STRING, self._scalars[id(node)]) if id(node) in self._scalars else _node_tree(node)
        if not isinstance(node, MappingNode):
            return (node.tag, *(self._expected_tree(item) for item in node.value))
        pairs: list[Tree] = []
        for key, value in node.value:
            if id(key) in self._replacements:
                pairs += [((_STRING, name), _value_tree(one)) for name, one in self._replacements[id(key)]]
            elif id(key) in self._nested:
                outer, inner = self._nested[id(key)]
                nested = (node.tag, ((_STRING, inner), self._expected_tree(value)))
                pairs.append(((_STRING, outer), nested))
            else:
                pairs.append((self._expected_tree(key), self._expected_tree(value)))
        return (node.tag, *pairs)


def format_scalar(text: str, *, style: str | None = None, flow: bool = False) -> str:
    """Format a text as a YAML scalar on one line.

    Args:
        text: The text.
        style: Quote character; without it, the text is plain if that is safe.
        flow: Whether the scalar is inside brackets, where more characters need quotes.
    """
    if style == '"' or not text.isprintable():
        return json.dumps(text, ensure_ascii=False)
    if style is None and not (flow and re.search(r"[,\[\]{}]", text)) and _is_safe(text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _is_safe(text: str) -> bool:
    try:
        return bool(yaml.safe_load(f"key: {text}\n") == {"key": text})
    except yaml.YAMLError:
        return False


def _format_value(value: Value, *, flow: bool, quote: str) -> str:
    style = quote or None
    if isinstance(value, str):
        return format_scalar(value, style=style, flow=flow)
    inner = ", ".join(
        f"{quote}{key}{quote}: {format_scalar(one, style=style, flow=True)}" for key, one in value.items()
    )
    return f"{{{inner}}}"


def _node_tree(node: Node) -> Tree:
    if isinstance(node, ScalarNode):
        return (node.tag, node.value)
    if isinstance(node, MappingNode):
        return (node.tag, *((_node_tree(key), _node_tree(value)) for key, value in node.value))
    return (node.tag, *(_node_tree(item) for item in node.value))


def _value_tree(value: Value) -> Tree:
    if isinstance(value, str):
        return (_STRING, value)
    return ("tag:yaml.org,2002:map", *(((_STRING, key), (_STRING, one)) for key, one in value.items()))
