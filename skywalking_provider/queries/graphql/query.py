"""Form A: the author's own GraphQL. `result` is its `data`, less the buckets that are absent."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.block import GraphqlSpec
from skywalking_provider.model import Window
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.oap.api.responses import raise_invalid_response
from skywalking_provider.oap.api.values import expression_error, parse_mqe_number
from skywalking_provider.queries.graphql.presence import series_with_absent_buckets
from skywalking_provider.queries.graphql.response_shape import check_shape
from skywalking_provider.queries.graphql.rewrite import (
    ALIAS_PREFIX,
    MetricRead,
    RewrittenQuery,
    add_presence_reads,
    unmodified_query,
)
from skywalking_provider.queries.graphql.unchecked import extract_series
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series, format_labels, format_number

_MAX_SERIES = 3
_MAX_BUCKETS = 8


def rewritten_query(spec: GraphqlSpec, *, nullable: bool) -> RewrittenQuery:
    """The query that is sent: completed, unless the block wants the built-in provider's own."""
    return unmodified_query(spec.query) if spec.compatibility else add_presence_reads(spec.query, nullable=nullable)


def build_graphql_request(query: RewrittenQuery, window: Window) -> GraphqlRequest:
    """The request: the query, and `$duration` as the built-in provider gives it."""
    return GraphqlRequest(query.text, {"duration": duration_variable(window)})


def decode_graphql(spec: GraphqlSpec, query: RewrittenQuery, data: Mapping[str, Any]) -> Sample:
    """What the answer holds.

    Raises:
        ProviderError: An expression in it has an error beside its data, or a read is answered in another form.
    """
    if spec.compatibility:
        series = tuple(extract_series(data))
        return Sample(data, _summary(series), (), chart_series=series)
    result = {name: answer for name, answer in data.items() if not name.startswith(ALIAS_PREFIX)}
    reads: list[Series] = []
    for name, own in query.expressions.items():
        if _check_response(name, own, query, data):
            reads += _decode_expression_series(name, data[name])
            result[name] = _drop_error(_drop_null_values(data[name], spec), name, query)
    for name, own in query.reads.items():
        if _check_response(name, own, query, data):
            there = series_with_absent_buckets(name, own, data)
            reads += there
            if spec.absent == "drop" and not own.counts:
                result[name] = _drop_absent_buckets(name, data[name], there)
    covered = min((len(one.present) for one in reads), default=None)
    return Sample(result, _summary(reads), tuple(reads), buckets_with_data=covered, chart_series=tuple(reads))


def all_zero_reads(query: RewrittenQuery, sample: Sample) -> list[tuple[str, str]]:
    """The reads of an old OAP that may be nothing but its silence: zeros alone, and no calls to witness them.

    Returns:
        Response names and metrics.
    """
    zeros = {one.name.split(" ")[0] for one in sample.series if not any(one.buckets)}
    return [
        (name, own.metric)
        for name, own in query.reads.items()
        if own.metric and name in zeros and not own.presence_known
    ]


def _check_response(name: str, metric_read: MetricRead, query: RewrittenQuery, data: Mapping[str, Any]) -> bool:
    """Whether a read was answered, and not left out by a directive of its author."""
    if name in query.expressions and isinstance(data.get(name), dict) and data[name].get("error"):
        raise expression_error(name, str(data[name]["error"]))
    check_shape(metric_read.expected_shape, data)
    return name in data


def _decode_expression_series(name: str, response: Any) -> list[Series]:
    """The series of an expression: `results { values { value } }` is there, whatever else he selected."""
    results = response["results"]
    labels = [format_labels(result) if len(results) > 1 else "" for result in results]
    return [
        Series(f"{name} {label}".rstrip(), tuple(parse_mqe_number(one["value"], name) for one in result["values"]))
        for label, result in zip(labels, results, strict=True)
    ] or [Series(name, ())]


def _drop_absent_buckets(name: str, response: Any, series: Sequence[Series]) -> Any:
    """What the author selected, less the buckets that are not there, under whatever names he gave them."""
    if not isinstance(response, list):
        return _drop_absent(name, response, series[0])
    beside = sum(bool(one.buckets) for one in series)  # none at all is told as one without buckets
    if len(response) != beside:
        raise_invalid_response(name, f"{len(response)} series, and {beside} beside them")
    return [_drop_absent(name, one, of) for one, of in zip(response, series, strict=False)]


def _drop_absent(name: str, node: Any, series: Series) -> Any:
    if isinstance(node, dict):
        return {key: _drop_absent(name, value, series) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    if len(node) != len(series.buckets):
        raise_invalid_response(name, f"{len(node)} buckets, and {len(series.buckets)} beside them")
    return [bucket for bucket, value in zip(node, series.buckets, strict=True) if value is not None]


def _drop_null_values(response: Any, spec: GraphqlSpec) -> Any:
    """An MQE answer less its absent values; its zeros are its own."""
    if spec.absent == "zero":
        return response
    return response | {
        "results": [
            one | {"values": [value for value in one["values"] if value["value"] is not None]}
            for one in response["results"]
        ]
    }


def _drop_error(response: Any, name: str, query: RewrittenQuery) -> Any:
    if name not in query.errors:
        return response
    return {key: part for key, part in response.items() if key != "error"}


def _summary(series: Sequence[Series]) -> str:
    told = ", ".join(_format_series(one) for one in series[:_MAX_SERIES]) or "result"
    return told if len(series) <= _MAX_SERIES else f"{told} and {len(series) - _MAX_SERIES} more"


def _format_series(series: Series) -> str:
    if len(series.buckets) <= _MAX_BUCKETS:
        return f"{series.name} {' '.join(_format_bucket(bucket) for bucket in series.buckets)}"
    numbers = [bucket for bucket in series.present if not isinstance(bucket, str)]
    if not numbers:
        return f"{series.name} {len(series.present)} values"
    return f"{series.name} {format_number(min(numbers))}..{format_number(max(numbers))}"


def _format_bucket(bucket: Any) -> str:
    if bucket is None:
        return "–"
    return bucket if isinstance(bucket, str) else format_number(bucket)
