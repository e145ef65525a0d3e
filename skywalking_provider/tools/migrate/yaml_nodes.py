"""YAML nodes with their positions in the text.

A round trip through a dumper, also that of ruamel.yaml, normalises indentation, folding and the space before comments.
Edits at the positions of nodes leave every other byte unchanged.
"""

import re
from collections.abc import Iterator

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from skywalking_provider.tools.templates import find_helm_markup, helm_hint

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*\s+)*")
_ALIAS = re.compile(r"\s*(\*[^\s,\[\]{}]+)")


class MigrationError(Exception):
    """A file that cannot be migrated.

    Args:
        line: Line of the problem, counted from 1.
        message: The problem and a hint.
    """

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message
        super().__init__(f"line {line}: {message}")


def parse_documents(source: str) -> list[Node]:
    """Parse the documents of a YAML text, without empty ones.

    Raises:
        MigrationError: The text is not YAML; the error has the line.
    """
    try:
        return [node for node in yaml.compose_all(source, Loader=yaml.SafeLoader) if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MigrationError(
            mark.line + 1 if mark else 1, f"is not YAML: {error.problem}.{_syntax_hint(source)}"
        ) from error
    except yaml.reader.ReaderError as error:
        line = source.count("\n", 0, error.position) + 1
        raise MigrationError(line, f"is not YAML: invalid character U+{ord(str(error.character)):04X}.") from error
    except RecursionError as error:
        raise MigrationError(1, "is nested too deeply.") from error


def _syntax_hint(source: str) -> str:
    if find_helm_markup(source):
        return f" {helm_hint('migrate')}, or edit the template by hand."
    if re.search(r"^[^#\"'\n]*: *{{", source, re.MULTILINE):
        return ' Quote a text that begins with {{: "{{args.name}}".'
    return ""


def entries(node: Node | None) -> dict[str, tuple[ScalarNode, Node]]:
    """Return the keys of a mapping that are texts, each with its value; empty for another node."""
    if not isinstance(node, MappingNode):
        return {}
    return {key.value: (key, value) for key, value in node.value if isinstance(key, ScalarNode)}


def child(node: Node | None, *path: str) -> Node | None:
    """Return the node at a path of keys; None if there is none."""
    for key in path:
        node = entries(node).get(key, (None, None))[1]
    return node


def items(node: Node | None) -> list[Node]:
    """Return the items of a sequence; empty for another node."""
    return list(node.value) if isinstance(node, SequenceNode) else []


def text(node: Node | None) -> str:
    """Return the text of a scalar; empty for another node."""
    return str(node.value) if isinstance(node, ScalarNode) else ""


def texts(node: Node) -> Iterator[str]:
    """Yield the texts of all scalars below a node."""
    if isinstance(node, ScalarNode):
        yield str(node.value)
        return
    for part in node.value:
        for one in part if isinstance(part, tuple) else (part,):
            yield from texts(one)


def line_number(node: Node) -> int:
    """Return the line of a node, counted from 1."""
    return int(node.start_mark.line) + 1


def is_alias(key: Node, value: Node) -> bool:
    """Return whether a value is a YAML alias (`*name`)."""
    return bool(value.start_mark.index < key.end_mark.index)


def content_start(source: str, node: Node) -> int:
    """Return the position of a node after its anchor and tag."""
    match = _PROPERTIES.match(source, node.start_mark.index)
    return match.end() if match else int(node.start_mark.index)


def value_end(source: str, key: Node, value: Node) -> int:
    """Return the end of a value, without the comments and empty lines after it."""
    if is_alias(key, value):
        match = _ALIAS.match(source, source.index(":", key.end_mark.index) + 1)
        return match.end() if match else int(key.end_mark.index)
    if isinstance(value, MappingNode) and value.value and not value.flow_style:
        return max(value_end(source, *pair) for pair in value.value)
    written = source[value.start_mark.index : value.end_mark.index]
    return int(value.start_mark.index) + len(written.rstrip())
