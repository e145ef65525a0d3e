"""Writes into the text of a query: what its author wrote stays as it is, to the letter. Pure."""

from collections.abc import Collection, Iterable

from graphql import FieldNode
from graphql.language import Node


def insert_at(query: str, insertions: Iterable[tuple[int, str]]) -> str:
    """A text with texts in it, each at its place, in the order of the places."""
    parts, at = [], 0
    for place, text in insertions:
        parts += [query[at:place], text]
        at = place
    return "".join((*parts, query[at:]))


def copy_field(
    read: FieldNode, query: str, kind: str, arguments: Collection[str], replacement: tuple[Node, str] | None = None
) -> str:
    """A read of a kind with arguments and directives of another, as they are written there.

    Args:
        read: The other.
        query: The text that it is of.
        kind: What is read.
        arguments: The names of those that are taken over.
        replacement: A node of them that is written otherwise.
    """
    taken = [_source_text(one, query, replacement) for one in read.arguments or () if one.name.value in arguments]
    directives = "".join(f" {_source_text(one, query, None)}" for one in read.directives or ())
    return f"{kind}({', '.join(taken)}){directives}" if taken else f"{kind}{directives}"


def end_offset(node: Node) -> int:
    """Where a node ends in its text."""
    assert node.loc is not None  # noqa: S101 - `parse_query` keeps the places
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
