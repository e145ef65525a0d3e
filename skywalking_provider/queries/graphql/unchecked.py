"""Series of a response that was not checked (`compatibility: argo`)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from skywalking_provider.oap.api.values import DECIMAL
from skywalking_provider.queries.series import Bucket, Series, format_labels

_END: Final = object()


def extract_series(data: Mapping[str, Any]) -> list[Series]:
    """Return what looks like series in a response: one for each top-level field and label.

    Args:
        data: Data of the response. Known shapes are MetricsValues, a list of them (labeled), an MQE result, a nullable
            value, a number and null.
    """
    parts = (
        (f"{name}{label}", _parse_buckets(part)) for name, field in data.items() for label, part in _split_labels(field)
    )
    return [Series(name, buckets) for name, buckets in parts if buckets is not None]


def _split_labels(field: object) -> Iterator[tuple[str, object]]:
    """Yield the labels of a field with their parts; the whole field if it has none."""
    match field:
        case [{"values": dict()}, _, *_]:
            for one in field:
                yield (f" {one['label']}" if isinstance(one, dict) and one.get("label") else ""), one
        case {"results": [_, _, *_] as results}:
            for one in results:
                yield f" {format_labels(one)}".rstrip(), {"results": [one]}
        case _:
            yield "", field


def _parse_buckets(field: object) -> tuple[Bucket, ...] | None:
    match field:
        case None:
            return ()
        case bool():
            return None
        case int() | float():
            return (field,)
        case {"isEmptyValue": bool(empty), "value": value}:
            return (None if empty else _parse_value(value),)
        case {"results": None} | {"values": None} | {"values": {"values": None}}:
            return ()
        case {"results": list(results)}:
            return _join_buckets(one.get("values") for one in results if isinstance(one, dict))
        case {"values": {"values": list(values)}}:
            return _join_buckets([values])
        case []:
            return ()
        case [{"values": {"values": list()}}, *_]:
            return _join_buckets(values for one in field for values in _value_lists(one))
    return tuple(_find_marked_buckets(field)) or None  # the author may have used aliases


def _value_lists(metrics_values: object) -> Iterator[list[Any]]:
    match metrics_values:
        case {"values": {"values": list(values)}}:
            yield values


def _join_buckets(lists: Iterator[Any] | Sequence[Any]) -> tuple[Bucket, ...] | None:
    """Return the buckets of all lists; None if an entry is not a bucket."""
    buckets: list[Bucket] = []
    for values in lists:
        for value in values if isinstance(values, list) else ():
            if not isinstance(value, dict) or not ("value" in value or "isEmptyValue" in value):
                return None
            buckets.append(_parse_bucket(value))
    return tuple(buckets)


def _find_marked_buckets(root: object) -> Iterator[Bucket]:
    """Yield the objects with `isEmptyValue` at any depth as buckets, in the order of the response.

    It keeps its own stack: a bucket passed on by a generator for each level takes time in proportion to its depth.
    """
    pending: list[Iterator[object]] = [iter((root,))]
    while pending:
        node = next(pending[-1], _END)
        if node is _END:
            pending.pop()
        elif isinstance(node, dict) and "isEmptyValue" in node:
            yield _parse_bucket(node)
        elif isinstance(node, dict):
            pending.append(iter(node.values()))
        elif isinstance(node, list):
            pending.append(iter(node))


def _parse_bucket(value: Mapping[str, Any]) -> Bucket:
    """Parse a bucket, whose value may have an alias."""
    if value.get("isEmptyValue") is True:
        return None
    if "value" in value:
        return _parse_value(value["value"])
    return next(
        (bucket for key in value if key != "isEmptyValue" and (bucket := _parse_value(value[key])) is not None), 0
    )


def _parse_value(value: object) -> Bucket:
    if isinstance(value, str):
        return (float(value) if "." in value else int(value)) if DECIMAL.fullmatch(value) else value
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
