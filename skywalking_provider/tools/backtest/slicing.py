"""Parts of a recorded response: the buckets of a shorter window, and the joined buckets of adjacent chunks. Pure.

A response has one list of buckets for each series, somewhere in its fields. The lists are recognised by their length,
so that the names and aliases of an author's query do not matter.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final


class UnslicableError(Exception):
    """A response that depends on the window as a whole, such as an average over it."""


class Buckets(list[Any]):
    """Buckets of one series, cut from a longer list."""


_RESULTS: Final = "results"


def cut(node: Any, first: int, last: int, length: int) -> Any:
    """Return a response with the buckets of a part of its window.

    Args:
        node: Response, or a part of it.
        first: Position of the first bucket.
        last: Position after the last bucket.
        length: Number of buckets in each series of the response.
    """
    if isinstance(node, dict):
        return {key: cut(value, first, last, length) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    if len(node) == length and _looks_like_buckets(node):
        return Buckets(node[first:last])
    return [cut(item, first, last, length) for item in node]


def cut_expression(field: Mapping[str, Any], first: int, last: int) -> dict[str, Any]:
    """Return the field of an expression of type TIME_SERIES_VALUES with the buckets of a part of its window."""
    results = [{**one, "values": one["values"][first:last]} for one in field[_RESULTS]]
    return {**field, _RESULTS: results}


def join_expressions(parts: Sequence[tuple[Mapping[str, Any], int]]) -> dict[str, Any]:
    """Join the fields of an expression in adjacent chunks. A label that a chunk does not have is absent there.

    Args:
        parts: Fields of the parts, each with its number of buckets.
    """
    labels = {_label(one): one.get("metric") for field, _ in parts for one in field[_RESULTS]}
    joined: dict[str, list[Any]] = {label: [] for label in labels}
    for field, buckets in parts:
        by_label = {_label(one): one["values"] for one in field[_RESULTS]}
        for label in labels:
            joined[label] += by_label.get(label) or [{"id": None, "value": None}] * buckets
    results = [{"metric": labels[label], "values": values} for label, values in joined.items()]
    return {**parts[0][0], _RESULTS: results}


def join(one: Any, other: Any) -> Any:
    """Join the cut responses of adjacent chunks.

    Raises:
        UnslicableError: They differ outside of their buckets, so that the response to both chunks is not known.
    """
    if isinstance(one, Buckets) and isinstance(other, Buckets):
        return Buckets([*one, *other])
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {key: join(value, other[key]) for key, value in one.items()}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [join(first, second) for first, second in zip(one, other, strict=True)]
    if one != other or isinstance(one, dict | list):
        raise UnslicableError
    return one


def find_first_buckets(node: Any, first: int) -> Iterator[int]:
    """Yield the position of the first bucket that has a value other than zero, for each series of a response.

    Args:
        node: Response, or a part of it.
        first: Position of the first bucket that matters.
    """
    for buckets in _iter_buckets(node):
        positions = (at for at, one in enumerate(buckets) if at >= first and _has_value(one))
        yield from islice(positions, 1)


def find_values(node: Any) -> Iterator[bool]:
    """Yield for each bucket of a response whether it has a value other than zero."""
    for buckets in _iter_buckets(node):
        yield from map(_has_value, buckets)


def _iter_buckets(node: Any) -> Iterator[list[Any]]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _iter_buckets(value)
    elif isinstance(node, list) and _looks_like_buckets(node):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _iter_buckets(item)


def _has_value(bucket: Mapping[str, Any]) -> bool:
    return bucket.get("value") not in (None, 0, "0")


def _looks_like_buckets(node: list[Any]) -> bool:
    return (
        bool(node) and isinstance(node[0], dict) and not any(isinstance(one, list | dict) for one in node[0].values())
    )


def _label(result: Mapping[str, Any]) -> str:
    return json.dumps(result.get("metric"), sort_keys=True)
