"""The query type `query`. `result` is the `data` of the response without absent buckets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.block import GraphqlSpec
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.features import ALL_FEATURES
from skywalking_provider.oap.api.inventory import MetricType
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.oap.api.response_data import response_size
from skywalking_provider.oap.api.response_parser import raise_invalid_response
from skywalking_provider.oap.api.values import expression_error, parse_mqe_number
from skywalking_provider.queries.base import CollectedSample, Diagnosis, DiagnosisKind, QueryDescription
from skywalking_provider.queries.diagnosis import (
    diagnose_empty_reads,
    diagnose_rejected_query,
    empty_reads,
    fetch_or_default,
    require_known_metric,
)
from skywalking_provider.queries.graphql.metric_read import MetricRead, RewrittenQuery
from skywalking_provider.queries.graphql.metric_types import check_metric_types
from skywalking_provider.queries.graphql.presence import find_label_problem, series_with_absent_buckets
from skywalking_provider.queries.graphql.response_shape import check_shape
from skywalking_provider.queries.graphql.rewrite import add_presence_reads, unmodified_query
from skywalking_provider.queries.graphql.services import services_read_by_name
from skywalking_provider.queries.graphql.unchecked import extract_series
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Bucket, Series, format_labels, format_number, named_series
from skywalking_provider.support.counts import format_count

_MAX_SERIES = 3
_MAX_BUCKETS = 8


@dataclass(frozen=True, slots=True)
class GraphqlQuery:
    """The author's own GraphQL query, with reads added that detect absent buckets."""

    spec: GraphqlSpec

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
        """See `Query.collect`."""
        # `compatibility: argo` sends the query verbatim, so the OAP's features do not matter.
        features = ALL_FEATURES if self.spec.argo_compatible else await backend.connection.features(deadline)
        query = rewritten_query(self.spec, nullable=features.supports_nullable)
        await self._refuse_wrong_types(query, backend, deadline)
        request = build_graphql_request(query, window)
        try:
            data = await backend.read(request, deadline)
            sample = await backend.process(response_size(data), decode_graphql, self.spec, query, window, data)
        except ProviderError as error:
            if error.reason is Reason.QUERY_INVALID:
                check_metric_types(self._reads(), await _fetch_types(backend, deadline))
            expressions = [read.expression for read in query.expressions.values()]
            raise await diagnose_rejected_query(error, expressions, backend, deadline) from error
        for name, metric in all_zero_reads(query, sample):
            require_known_metric(name, metric, await backend.connection.metrics(deadline), backend.connection.suggest)
        return CollectedSample(sample, requests=(request,))

    async def _refuse_wrong_types(self, query: RewrittenQuery, backend: Backend, deadline: Deadline) -> None:
        """Reject a query that reads metrics of another type before it is sent, if the types are known.

        Their list is not requested for this check, because most queries are right: an OAP's error, or the diagnosis of
        an empty read, leads to it. The known list may be old, so a rejection needs a new one.
        """
        try:
            check_metric_types(query.reads, backend.connection.known_metric_types)
        except ProviderError:
            check_metric_types(query.reads, await _fetch_types(backend, deadline))

    def _reads(self) -> Mapping[str, MetricRead]:
        """Return the author's reads, also those of a query that is sent verbatim."""
        try:
            return add_presence_reads(self.spec.query, nullable=True).reads
        except ProviderError:  # a verbatim query may be one that cannot be rewritten
            return {}

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:
        """See `Query.diagnose`."""
        if sample.missing_labels:
            return Diagnosis(DiagnosisKind.UNKNOWN_LABELS, (), sample.missing_labels)
        check_metric_types(self._reads(), await _fetch_types(backend, deadline))
        query = rewritten_query(self.spec, nullable=(await backend.connection.features(deadline)).supports_nullable)
        return await diagnose_empty_reads(empty_reads(self.spec.query, query, sample.empty_series), backend, deadline)

    def services_by_name(self, backend: Backend) -> tuple[str, ...]:  # noqa: ARG002
        """See `Query.services_by_name`."""
        return services_read_by_name(self.spec.query)

    def select_cause_target(self, backend: Backend) -> None:  # noqa: ARG002
        """See `Query.select_cause_target`. The meaning of the author's metrics is not known."""
        return

    def describe(self, backend: Backend | None) -> QueryDescription:
        """See `Query.describe`. Until the OAP's features are known, the newest ones are assumed."""
        features = backend.connection.known_features if backend else None
        query = rewritten_query(self.spec, nullable=features is None or features.supports_nullable)
        return QueryDescription(
            window=self.spec.interval,
            open_window=self.spec.argo_compatible,
            backend=backend.connection.name if backend else "",
            ui=(backend.connection.config.ui or "") if backend else "",
            query=query.text,
            starts_at_run=self.spec.starts_at_run,
        )


async def _fetch_types(backend: Backend, deadline: Deadline) -> Mapping[str, MetricType]:
    return await fetch_or_default(backend.connection.metric_types(deadline), {})


def rewritten_query(spec: GraphqlSpec, *, nullable: bool) -> RewrittenQuery:
    """Return the query to send: the author's own for `compatibility: argo`, else one with presence reads.

    Args:
        spec: Block of the metric.
        nullable: Whether the OAP has `isEmptyValue`.
    """
    return unmodified_query(spec.query) if spec.argo_compatible else add_presence_reads(spec.query, nullable=nullable)


def build_graphql_request(query: RewrittenQuery, window: Window) -> GraphqlRequest:
    """Build the request, with `$duration` as the built-in provider writes it."""
    return GraphqlRequest(query.text, {"duration": duration_variable(window)})


def decode_graphql(spec: GraphqlSpec, query: RewrittenQuery, window: Window, data: Mapping[str, Any]) -> Sample:
    """Decode the response of a query.

    Raises:
        ProviderError: An expression has an error, or the response does not have the shape of the selection.
    """
    if spec.argo_compatible:
        series = tuple(extract_series(data))
        return Sample(data, _format_summary(series), (), chart_series=series)
    result = {name: response for name, response in data.items() if name not in query.added_aliases}
    reads: list[Series] = []
    label_problems: list[str] = []
    for name, read in query.expressions.items():
        if _check_response(name, read, query, data):
            label_problems.append(find_label_problem(name, read, data))
            reads += _decode_expression_series(name, data[name])
            result[name] = _drop_error(_drop_null_values(data[name], spec), name, query)
    for name, read in query.reads.items():
        if _check_response(name, read, query, data):
            label_problems.append(find_label_problem(name, read, data))
            series_of_read = series_with_absent_buckets(name, read, window, data)
            reads += series_of_read
            if spec.absent == "drop" and not read.counts_calls:
                result[name] = _drop_absent_buckets(name, data[name], read, series_of_read)
    buckets_with_data = min((len(one.present) for one in reads), default=None)
    return Sample(
        result,
        _format_summary(reads),
        tuple(reads),
        buckets_with_data=buckets_with_data,
        chart_series=tuple(reads),
        missing_labels="; ".join(problem for problem in label_problems if problem),
    )


def all_zero_reads(query: RewrittenQuery, sample: Sample) -> list[tuple[str, str]]:
    """Return the reads that hold only zeros although no presence read covers them.

    An OAP before 9.5 returns zeros for a metric that it does not have.

    Returns:
        Response names and metrics.
    """
    zeros = {one.read_name for one in sample.series if not any(one.buckets)}
    return [
        (name, read.metric)
        for name, read in query.reads.items()
        if read.metric and name in zeros and not read.presence_known
    ]


def _check_response(name: str, metric_read: MetricRead, query: RewrittenQuery, data: Mapping[str, Any]) -> bool:
    """Check the response of a read and return whether it is there: the author's directive may have excluded it."""
    if name in query.expressions and isinstance(data.get(name), dict) and data[name].get("error"):
        raise expression_error(name, str(data[name]["error"]))
    check_shape(metric_read.expected_shape, data)
    return name in data


def _decode_expression_series(name: str, response: Any) -> list[Series]:
    """Return the series of an expression. The rewrite ensured that `results { values { value } }` is selected."""
    results = response["results"]
    labels = [format_labels(result) if len(results) > 1 else "" for result in results]
    return [
        named_series(name, label, tuple(parse_mqe_number(one["value"], name) for one in result["values"]))
        for label, result in zip(labels, results, strict=True)
    ] or [named_series(name, "", ())]


def _drop_absent_buckets(name: str, response: Any, metric_read: MetricRead, series: Sequence[Series]) -> Any:
    """Remove the absent buckets from a read's response. Buckets match by position, whatever the author's aliases."""
    if metric_read.labels and not all(one.buckets for one in series):
        return response  # a requested label has no data, so no condition is evaluated
    if not isinstance(response, list):
        return _drop_absent(name, response, series[0])
    present = sum(bool(one.buckets) for one in series)  # a response without series is one without buckets
    if len(response) != present:
        raise_invalid_response(name, f"{len(response)} series, and {present} of its presence read")
    return [_drop_absent(name, part, one) for part, one in zip(response, series, strict=False)]


def _drop_absent(name: str, node: Any, series: Series) -> Any:
    if isinstance(node, dict):
        return {key: _drop_absent(name, value, series) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    if len(node) != len(series.buckets):
        raise_invalid_response(name, f"{len(node)} buckets, and {len(series.buckets)} of its presence read")
    return [bucket for bucket, value in zip(node, series.buckets, strict=True) if value is not None]


def _drop_null_values(response: Any, spec: GraphqlSpec) -> Any:
    """Remove the null values from an MQE response. MQE returns zero only for real zeros."""
    if spec.absent == "zero":
        return response
    return response | {
        "results": [
            one | {"values": [value for value in one["values"] if value["value"] is not None]}
            for one in response["results"]
        ]
    }


def _drop_error(response: Any, name: str, query: RewrittenQuery) -> Any:
    if name not in query.added_errors:
        return response
    return {key: part for key, part in response.items() if key != "error"}


def _format_summary(series: Sequence[Series]) -> str:
    text = ", ".join(_format_series(one) for one in series[:_MAX_SERIES]) or "result"
    return text if len(series) <= _MAX_SERIES else f"{text} and {len(series) - _MAX_SERIES} more"


def _format_series(series: Series) -> str:
    if len(series.buckets) <= _MAX_BUCKETS:
        return f"{series.name} {' '.join(_format_bucket(bucket) for bucket in series.buckets)}"
    numbers = [bucket for bucket in series.present if not isinstance(bucket, str)]
    if not numbers:
        return f"{series.name} {format_count(len(series.present), 'value')}"
    return f"{series.name} {format_number(min(numbers))}..{format_number(max(numbers))}"


def _format_bucket(bucket: Bucket) -> str:
    if bucket is None:
        return "–"
    return bucket if isinstance(bucket, str) else format_number(bucket)
