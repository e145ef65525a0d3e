"""Insertions into the text of a query. The author's own text stays verbatim."""

from collections.abc import Collection, Iterable

from graphql import FieldNode
from graphql.language import Node


def insert_at(query: str, insertions: Iterable[tuple[int, str]]) -> str:
    """Return a text with other texts inserted.

    Args:
        query: Text to insert into.
        insertions: Offsets in the original text with the texts to insert there, sorted by offset.
    """
    parts, at = [], 0
    for place, text in insertions:
        parts += [query[at:place], text]
        at = place
    return "".join((*parts, query[at:]))


def copy_field(
    read: FieldNode, query: str, kind: str, arguments: Collection[str], replacement: tuple[Node, str] | None = None
) -> str:
    """Return the text of a field of another kind that has a read's directives and some of its arguments.

    Args:
        read: Read to copy from.
        query: Text that contains the read.
        kind: Name of the new field.
        arguments: Names of the arguments to copy.
        replacement: Node inside an argument, and the text to write in its place.
    """
    taken = [_source_text(one, query, replacement) for one in read.arguments or () if one.name.value in arguments]
    directives = "".join(f" {_source_text(one, query, None)}" for one in read.directives or ())
    return f"{kind}({', '.join(taken)}){directives}" if taken else f"{kind}{directives}"


def end_offset(node: Node) -> int:
    """Return the offset at which a node's text ends."""
    assert node.loc is not None  # noqa: S101 - `parse_query` keeps the locations
    return node.loc.end


def _source_text(node: Node, query: str, replacement: tuple[Node, str] | None) -> str:
    start, end = _start_offset(node), end_offset(node)
    if replacement is None:
        return query[start:end]
    replaced, text = replacement
    if start <= _start_offset(replaced) and end_offset(replaced) <= end:
        return f"{query[start : _start_offset(replaced)]}{text}{query[end_offset(replaced) : end]}"
    return query[start:end]


def _start_offset(node: Node) -> int:
    assert node.loc is not None  # noqa: S101 - as above
    return node.loc.start
