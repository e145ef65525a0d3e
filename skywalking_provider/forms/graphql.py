"""Form A: the author's own GraphQL. `result` is its `data`, less the buckets that are absent."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.forms.healing import CALLS, OURS, PRESENT, Healed, heal, not_healed
from skywalking_provider.forms.sample import Sample
from skywalking_provider.model import Window
from skywalking_provider.plan import Read, duration_variable
from skywalking_provider.series import Series, errors_of, expression_error, number_text, series_of
from skywalking_provider.spec import GraphqlSpec

_SHOWN_SERIES = 3
_SHOWN_BUCKETS = 8

Present = list[list[bool]]
"""Whether each bucket of each label is there; one label where the metric has none."""


def healed(spec: GraphqlSpec, *, nullable: bool) -> Healed:
    """The query that is sent: completed, unless the block wants the built-in provider's own."""
    return not_healed(spec.query) if spec.compatibility else heal(spec.query, nullable=nullable)


def read_of(query: Healed, window: Window) -> Read:
    """The request: the query, and `$duration` as the built-in provider gives it."""
    return Read(query.text, {"duration": duration_variable(window)})


def sample_of(spec: GraphqlSpec, query: Healed, data: Mapping[str, Any]) -> Sample:
    """What the answer holds.

    Raises:
        ProviderError: An expression in it has an error beside its data, or a read is answered in another form.
    """
    if spec.compatibility:
        series = tuple(series_of(data))
        return Sample(data, _told(series), (), shown=series)
    for name, words in errors_of({name: data.get(name) for name in query.expressions}):
        raise expression_error(name, words)
    result: dict[str, Any] = {}
    reads: list[Series] = []
    for name, answer in data.items():
        if name.startswith(OURS):
            continue
        result[name] = answer
        if name in query.expressions:
            reads += _series(name, answer)
            result[name] = _without_error(_without_null(answer, spec), name, query)
        elif name in query.reads:
            told = _marked(name, data)
            reads += _series(name, told)
            if spec.absent == "drop" and name not in query.counts:
                result[name] = _without_absent(answer, _present(told))
    series = tuple(reads)
    covered = min((len(one.present) for one in series), default=None)
    return Sample(result, _told(series), series, covered=covered, shown=series)


def _series(name: str, answer: Any) -> list[Series]:
    series = series_of({name: answer})
    if not series:
        raise ProviderError(Reason.OAP_ANSWER_INVALID, f"{name} was answered in another form than SkyWalking's")
    return series


def _marked(name: str, data: Mapping[str, Any]) -> Any:
    """A read as OAP 9.5 tells it, every absent bucket marked, whoever told."""
    told = data.get(f"{PRESENT}{name}", data[name])
    calls = data.get(f"{CALLS}{name}")
    if calls is None:
        return told
    called = [bool(value.get("value")) for value in _values(calls)]
    if isinstance(told, int | float):  # a single value of an old OAP
        return {"value": told, "isEmptyValue": not any(called)}
    one_by_one = [_mark(one, called) for one in (told if isinstance(told, list) else [told])]
    return one_by_one if isinstance(told, list) else one_by_one[0]


def _mark(one: Any, called: Sequence[bool]) -> Any:
    values = _values(one)
    if len(values) != len(called):
        return one
    marked = [value | {"isEmptyValue": not there} for value, there in zip(values, called, strict=True)]
    return {"label": one.get("label"), "values": {"values": marked}}


def _values(one: Any) -> list[dict[str, Any]]:
    match one:
        case {"values": {"values": list(values)}} if all(isinstance(value, dict) for value in values):
            return values
    return []


def _present(told: Any) -> Present:
    labels = told if isinstance(told, list) else [told]
    return [[value.get("isEmptyValue") is not True for value in _values(one)] for one in labels]


def _without_absent(answer: Any, present: Present) -> Any:
    """What the author selected, less the buckets that are not there, under whatever names he gave them."""
    if isinstance(answer, list):
        return [_drop(one, there) for one, there in zip(answer, present, strict=False)]
    return _drop(answer, present[0]) if present else answer


def _drop(node: Any, there: Sequence[bool]) -> Any:
    if isinstance(node, dict):
        return {key: _drop(value, there) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    if len(node) == len(there):
        return [bucket for bucket, is_there in zip(node, there, strict=True) if is_there]
    return [_drop(one, there) for one in node]


def _without_null(answer: Any, spec: GraphqlSpec) -> Any:
    """An MQE answer less its absent values; its zeros are its own."""
    if spec.absent == "zero" or not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        return answer
    return answer | {
        "results": [
            one | {"values": [value for value in one.get("values") or () if value.get("value") is not None]}
            for one in answer["results"]
        ]
    }


def _without_error(answer: Any, name: str, query: Healed) -> Any:
    if name not in query.errors or not isinstance(answer, dict):
        return answer
    return {key: part for key, part in answer.items() if key != "error"}


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
