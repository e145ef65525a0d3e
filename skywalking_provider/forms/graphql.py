"""Form A: the author's own GraphQL. `result` is its `data`, less the buckets that are absent."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.forms.healing import CALLS, PRESENT, Healed, heal, not_healed
from skywalking_provider.forms.sample import Sample
from skywalking_provider.model import Window
from skywalking_provider.plan import Read, duration_variable
from skywalking_provider.series import Series, errors_of, expression_error, number_text, series_of
from skywalking_provider.spec import GraphqlSpec

_SHOWN_SERIES = 3
_SHOWN_BUCKETS = 8


def healed(spec: GraphqlSpec, *, nullable: bool) -> Healed:
    """The query that is sent: completed, unless the block wants the built-in provider's own."""
    return not_healed(spec.query) if spec.compatibility else heal(spec.query, nullable=nullable)


def read_of(query: Healed, window: Window) -> Read:
    """The request: the query, and `$duration` as the built-in provider gives it."""
    return Read(query.text, {"duration": duration_variable(window)})


def sample_of(spec: GraphqlSpec, query: Healed, data: Mapping[str, Any]) -> Sample:
    """What the answer holds.

    Raises:
        ProviderError: An expression in it has an error beside its data.
    """
    if spec.compatibility:
        series = tuple(series_of(data))
        return Sample(data, _told(series), ())
    for field, words in errors_of(data):
        raise expression_error(field, words)
    marked = {name: _marked(name, field, data) for name, field in data.items() if not name.startswith((PRESENT, CALLS))}
    series = tuple(series_of(marked))
    keep_zeros = query.counts if spec.absent == "drop" else frozenset(marked)
    written = {
        name: {key: part for key, part in field.items() if key != "error"} if name in query.errors else field
        for name, field in _unmarked(data, marked).items()
    }
    result = {
        name: _without(
            field, drop_absent=name not in keep_zeros, drop_mark=name in query.added or f"{CALLS}{name}" in data
        )
        for name, field in written.items()
    }
    return Sample(result, _told(series), series, covered=min((len(one.present) for one in series), default=None))


def _marked(name: str, field: Any, data: Mapping[str, Any]) -> Any:
    """A read with every absent bucket marked as OAP 9.5 marks it, whoever told."""
    match data.get(f"{PRESENT}{name}"):
        case {"isEmptyValue": bool(empty)}:
            return {"value": field, "isEmptyValue": empty}
    calls = _calls(data.get(f"{CALLS}{name}"))
    if calls is None:
        return field
    if isinstance(field, int | float):  # a single value of an old OAP
        return {"value": field, "isEmptyValue": not any(calls)}
    return _mark(field, calls)


def _calls(field: Any) -> Sequence[int] | None:
    match field:
        case {"values": {"values": list(values)}}:
            return [value.get("value") or 0 for value in values]
    return None


def _mark(node: Any, calls: Sequence[int]) -> Any:
    """The lists of buckets, one for every minute, marked where there were no calls."""
    if isinstance(node, dict):
        return {key: _mark(value, calls) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    if len(node) == len(calls) and all(_is_bucket(one) for one in node):
        return [one | {"isEmptyValue": not called} for one, called in zip(node, calls, strict=True)]
    return [_mark(one, calls) for one in node]


def _is_bucket(node: Any) -> bool:
    return isinstance(node, dict) and all(not isinstance(value, dict | list) for value in node.values())


def _unmarked(data: Mapping[str, Any], marked: Mapping[str, Any]) -> dict[str, Any]:
    """Single values are marked for us alone: the author sees the number that he asked for."""
    return {
        name: data[name] if isinstance(data[name], int | float) else marked_field
        for name, marked_field in marked.items()
    }


def _without(node: Any, *, drop_absent: bool, drop_mark: bool) -> Any:
    """An answer without absent buckets, and without the marks that the author did not select."""
    if isinstance(node, dict):
        return {
            key: _without(value, drop_absent=drop_absent, drop_mark=drop_mark)
            for key, value in node.items()
            if not (drop_mark and key == "isEmptyValue")
        }
    if isinstance(node, list):
        kept = [one for one in node if not (drop_absent and _is_absent(one))]
        return [_without(one, drop_absent=drop_absent, drop_mark=drop_mark) for one in kept]
    return node


def _is_absent(node: Any) -> bool:
    """A bucket that OAP says is empty, or an MQE value that is null."""
    return isinstance(node, dict) and (
        node.get("isEmptyValue") is True or ("id" in node and "value" in node and node["value"] is None)
    )


def _told(series: Sequence[Series]) -> str:
    told = ", ".join(_facts(one) for one in series[:_SHOWN_SERIES]) or "result"
    return told if len(series) <= _SHOWN_SERIES else f"{told} and {len(series) - _SHOWN_SERIES} more"


def _facts(series: Series) -> str:
    if len(series.buckets) <= _SHOWN_BUCKETS:
        return f"{series.name} {' '.join(_bucket(bucket) for bucket in series.buckets)}"
    numbers = [bucket for bucket in series.present if not isinstance(bucket, str)]
    if not numbers:
        return f"{series.name} {len(series.present)} values"
    return f"{series.name} {number_text(min(numbers))}..{number_text(max(numbers))}"


def _bucket(bucket: Any) -> str:
    if bucket is None:
        return "–"
    return bucket if isinstance(bucket, str) else number_text(bucket)
