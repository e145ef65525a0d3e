"""Form A: the author's own GraphQL. `result` is its `data`, less the buckets that are absent."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.answers import refuse
from skywalking_provider.forms.healing import OURS, Healed, Own, heal, not_healed
from skywalking_provider.forms.mirror import check_mirror
from skywalking_provider.forms.presence import present_in
from skywalking_provider.forms.sample import Sample
from skywalking_provider.model import Window
from skywalking_provider.plan import Read, duration_variable
from skywalking_provider.series import Series, decimal, expression_error, label_text, number_text, series_of
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
        ProviderError: An expression in it has an error beside its data, or a read is answered in another form.
    """
    if spec.compatibility:
        series = tuple(series_of(data))
        return Sample(data, _told(series), (), shown=series)
    result = {name: answer for name, answer in data.items() if not name.startswith(OURS)}
    reads: list[Series] = []
    for name, own in query.expressions.items():
        if _answered(name, own, query, data):
            reads += _of_expression(name, data[name])
            result[name] = _without_error(_without_null(data[name], spec), name, query)
    for name, own in query.reads.items():
        if _answered(name, own, query, data):
            there = present_in(name, own, data)
            reads += there
            if spec.absent == "drop" and not own.counts:
                result[name] = _without_absent(name, data[name], there)
    covered = min((len(one.present) for one in reads), default=None)
    return Sample(result, _told(reads), tuple(reads), covered=covered, shown=tuple(reads))


def only_zeros(query: Healed, sample: Sample) -> list[tuple[str, str]]:
    """The reads of an old OAP that may be nothing but its silence: zeros alone, and no calls to witness them.

    Returns:
        Response names and metrics.
    """
    zeros = {one.name.split(" ")[0] for one in sample.reads if not any(one.buckets)}
    return [
        (name, own.metric) for name, own in query.reads.items() if own.metric and name in zeros and not own.witnessed
    ]


def _answered(name: str, own: Own, query: Healed, data: Mapping[str, Any]) -> bool:
    """Whether a read was answered, and not left out by a directive of its author."""
    if name in query.expressions and isinstance(data.get(name), dict) and data[name].get("error"):
        raise expression_error(name, str(data[name]["error"]))
    check_mirror(own.mirror, data)
    return name in data


def _of_expression(name: str, answer: Any) -> list[Series]:
    """The series of an expression: `results { values { value } }` is there, whatever else he selected."""
    results = answer["results"]
    labels = [label_text(result) if len(results) > 1 else "" for result in results]
    return [
        Series(f"{name} {label}".rstrip(), tuple(decimal(one["value"], name) for one in result["values"]))
        for label, result in zip(labels, results, strict=True)
    ] or [Series(name, ())]


def _without_absent(name: str, answer: Any, there: Sequence[Series]) -> Any:
    """What the author selected, less the buckets that are not there, under whatever names he gave them."""
    if not isinstance(answer, list):
        return _drop(name, answer, there[0])
    beside = sum(bool(one.buckets) for one in there)  # none at all is told as one without buckets
    if len(answer) != beside:
        refuse(name, f"{len(answer)} series, and {beside} beside them")
    return [_drop(name, one, of) for one, of in zip(answer, there, strict=False)]


def _drop(name: str, node: Any, there: Series) -> Any:
    if isinstance(node, dict):
        return {key: _drop(name, value, there) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    if len(node) != len(there.buckets):
        refuse(name, f"{len(node)} buckets, and {len(there.buckets)} beside them")
    return [bucket for bucket, value in zip(node, there.buckets, strict=True) if value is not None]


def _without_null(answer: Any, spec: GraphqlSpec) -> Any:
    """An MQE answer less its absent values; its zeros are its own."""
    if spec.absent == "zero":
        return answer
    return answer | {
        "results": [
            one | {"values": [value for value in one["values"] if value["value"] is not None]}
            for one in answer["results"]
        ]
    }


def _without_error(answer: Any, name: str, query: Healed) -> Any:
    if name not in query.errors:
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
