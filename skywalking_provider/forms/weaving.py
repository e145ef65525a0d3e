"""Writes into the text of a query: what its author wrote stays as it is, to the letter. Pure."""

from collections.abc import Collection, Iterable

from graphql import FieldNode
from graphql.language import Node


def woven(query: str, insertions: Iterable[tuple[int, str]]) -> str:
    """A text with texts in it, each at its place, in the order of the places."""
    parts, at = [], 0
    for place, text in insertions:
        parts += [query[at:place], text]
        at = place
    return "".join((*parts, query[at:]))


def like(
    read: FieldNode, query: str, kind: str, arguments: Collection[str], instead: tuple[Node, str] | None = None
) -> str:
    """A read of a kind with arguments and directives of another, as they are written there.

    Args:
        read: The other.
        query: The text that it is of.
        kind: What is read.
        arguments: The names of those that are taken over.
        instead: A node of them that is written otherwise.
    """
    taken = [_written(one, query, instead) for one in read.arguments or () if one.name.value in arguments]
    directives = "".join(f" {_written(one, query, None)}" for one in read.directives or ())
    return f"{kind}({', '.join(taken)}){directives}" if taken else f"{kind}{directives}"


def end(node: Node) -> int:
    """Where a node ends in its text."""
    assert node.loc is not None  # noqa: S101 - `parse_query` keeps the places
    return node.loc.end


def _written(node: Node, query: str, instead: tuple[Node, str] | None) -> str:
    if instead and _start(node) <= _start(instead[0]) and end(instead[0]) <= end(node):
        return f"{query[_start(node) : _start(instead[0])]}{instead[1]}{query[end(instead[0]) : end(node)]}"
    return query[_start(node) : end(node)]


def _start(node: Node) -> int:
    assert node.loc is not None  # noqa: S101 - as above
    return node.loc.start
