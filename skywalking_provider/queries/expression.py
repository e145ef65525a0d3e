"""The query type `expression`. `result` is a number, a list, or a map of them by label."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from skywalking_provider.block import ExpressionSpec
from skywalking_provider.block.expression_syntax import extract_labels, ranked_metrics
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet, Scope, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.metric_values import (
    LabeledSeries,
    Role,
    SeriesRequest,
    SeriesResponse,
    decode_calls,
    decode_labels,
    decode_series,
)
from skywalking_provider.oap.api.percentile_labels import Label
from skywalking_provider.oap.api.response_parser import raise_invalid_response
from skywalking_provider.oap.api.values import Number
from skywalking_provider.queries.base import CollectedSample, Diagnosis, DiagnosisKind, QueryDescription
from skywalking_provider.queries.diagnosis import (
    add_operator_hint,
    check_ranking,
    check_scope,
    diagnose_rejected_expression,
    fetch_or_default,
)
from skywalking_provider.queries.entities import (
    ListInstances,
    describe_selection,
    describe_subject,
    resolve_entities,
    services_by_name,
)
from skywalking_provider.queries.indicators.metric_names import calls_metric
from skywalking_provider.queries.instance_reads import SeriesPlan, read_planned_series
from skywalking_provider.queries.labels import check_selected_labels, labeled_metrics
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series, format_number
from skywalking_provider.support.counts import format_count

_LABEL_ENTITIES = 3  # the labels of a metric are the same for all instances of a service that have calls
_MAX_VALUES = 8
_NO_SERIES = (LabeledSeries({}, ()),)


@dataclass(frozen=True, slots=True)
class ExpressionQuery:
    """A metrics query expression (MQE) of the selected entities."""

    spec: ExpressionSpec

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
        """See `Query.collect`."""
        if not (await backend.connection.features(deadline)).supports_mqe:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"expression: backend {backend.connection.name} has an OAP before 9.5, which lacks expressions",
                "use query or sli",
            )
        try:
            entities, batch = await read_planned_series(
                partial(self._plan_series, backend, deadline), backend, window, deadline, mqe=True
            )
        except ProviderError as error:  # before OAP 10, a malformed expression fails the whole request
            raise add_operator_hint(error, self.spec.expression) from error
        try:
            sample = await backend.process(batch.size, decode_expression, self.spec, entities, window, batch.data)
        except ProviderError as error:
            raise await diagnose_rejected_expression(
                error, self.spec.expression, self.spec.scope, backend, deadline
            ) from error
        return CollectedSample(sample, describe_subject(entities), batch.requests, entities)

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:
        """See `Query.diagnose`. The entity was found, so only labels and the scope of the metrics can be wrong."""
        if sample.missing_labels:
            return Diagnosis(DiagnosisKind.UNKNOWN_LABELS, (), sample.missing_labels)
        metrics = await fetch_or_default(backend.connection.metrics(deadline), {})
        check_scope(self.spec.expression, self.spec.scope, metrics, backend.connection.suggest)
        check_ranking(self.spec.expression, ranked_metrics(self.spec.expression), metrics)
        return Diagnosis()

    def services_by_name(self, backend: Backend) -> tuple[str, ...]:
        """See `Query.services_by_name`."""
        return services_by_name(self.spec, backend)

    def select_cause_target(self, backend: Backend) -> None:  # noqa: ARG002
        """See `Query.select_cause_target`. The meaning of the author's metrics is not known."""
        return

    def describe(self, backend: Backend | None) -> QueryDescription:
        """See `Query.describe`."""
        return replace(describe_selection(self.spec, backend), expression=self.spec.expression)

    async def _plan_series(
        self, backend: Backend, deadline: Deadline, list_instances: ListInstances
    ) -> SeriesPlan[EntitySet]:
        entities = await resolve_entities(self.spec, backend, list_instances, deadline)
        if self.spec.scope is not Scope.SERVICE:
            check_scope(
                self.spec.expression,
                self.spec.scope,
                await backend.connection.metrics(deadline),
                backend.connection.suggest,
            )
        return SeriesPlan(entities, build_expression_requests(self.spec, entities))


def build_expression_requests(spec: ExpressionSpec, entities: EntitySet) -> list[SeriesRequest]:
    """Build the requests for the expression of every entity, and for its calls if `minCalls` is set.

    If the expression selects labels, the metrics are also read with all labels, for the first entities: OAP returns
    nothing for a label that it does not know.
    """
    values = [SeriesRequest(f"e{at}", spec.expression, entity) for at, entity in enumerate(entities.members)]
    values += [
        SeriesRequest(f"l{at}_{number}", metric, entity, role=Role.LABELS)
        for at, entity in enumerate(entities.members[:_LABEL_ENTITIES])
        for number, metric in enumerate(labeled_metrics(extract_labels(spec.expression)))
    ]
    if not spec.min_calls:
        return values
    metric = calls_metric(entities)
    return values + [
        SeriesRequest(f"c{at}", metric, entity, role=Role.CALLS) for at, entity in enumerate(entities.members)
    ]


def decode_expression(spec: ExpressionSpec, entities: EntitySet, window: Window, data: Mapping[str, Any]) -> Sample:
    """Decode the responses for an expression.

    Args:
        spec: Block of the metric.
        entities: Entities that were requested.
        window: Window of the requests.
        data: Combined data of the responses to `build_expression_requests`.

    Raises:
        ProviderError: OAP rejects the expression, or its result is not numeric or of an unsupported type.
    """
    results: dict[str, Any] = {}
    series: list[Series] = []
    charts: dict[Entity, list[Series]] = {entity: [] for entity in entities.members}
    calls: int | None = None
    known_labels: dict[str, set[Label]] = {}
    for request in build_expression_requests(spec, entities):
        if request.role is Role.CALLS:
            counts = decode_calls(data, request, window, mqe=True)
            calls = (calls or 0) + sum(count or 0 for count in counts)
            charts[request.entity].append(Series("calls", counts, counts_calls=True, entity=request.entity))
            continue
        if request.role is Role.LABELS:
            known_labels.setdefault(request.expression, set()).update(decode_labels(data, request.alias))
            continue
        response = decode_series(data, request, window, mqe=True)
        result = _build_result(response, request, spec.scale)
        has_data = any(_present_values(one) for one in response.series)
        series += _build_series(_series_name(request.entity, entities), response.series)
        charts[request.entity] += [
            _build_chart_series(spec, request.entity, one) for one in response.series or _NO_SERIES
        ]
        if has_data or not entities.selector:  # an instance without traffic is absent from the result
            results[request.entity.name] = result
    result = results if entities.selector else next(iter(results.values()))
    return Sample(
        result,
        f"{spec.expression} {_format_result(result)}",
        _merge_instances(series, entities),
        calls,
        chart_series=tuple(one for series_of_entity in charts.values() for one in series_of_entity),
        missing_labels=check_selected_labels(spec.expression, extract_labels(spec.expression), known_labels),
    )


def _merge_instances(series: Sequence[Series], entities: EntitySet) -> tuple[Series, ...]:
    """Join the series of several instances: data of one is enough, as pods without traffic are normal."""
    if not entities.selector:
        return tuple(series)
    buckets = tuple(bucket for read in series for bucket in read.buckets)
    return (Series(f"{format_count(len(series), 'instance')} of {entities.selector}", buckets),)


def _build_series(name: str, labeled_series: Sequence[LabeledSeries]) -> list[Series]:
    """Return a series for every label, or one empty series."""
    if not labeled_series:
        return [Series(name, ())]
    return [Series(f"{name} {_format_labels(one.labels)}".rstrip(), one.buckets) for one in labeled_series]


def _build_chart_series(spec: ExpressionSpec, entity: Entity, labeled_series: LabeledSeries) -> Series:
    """Build the chart series of one label, in the unit of the result."""
    name = f"{spec.expression} {_format_labels(labeled_series.labels)}".rstrip()
    buckets = tuple(None if one is None else _scale_number(one, spec.scale) for one in labeled_series.buckets)
    return Series(name, buckets, entity=entity, ids=labeled_series.names)


def _series_name(entity: Entity, entities: EntitySet) -> str:
    return entity.name if entities.selector else "the expression"


def _build_result(response: SeriesResponse, series_request: SeriesRequest, scale: float) -> Any:
    match response.kind:
        case "SINGLE_VALUE":
            return _group_by_label(
                response.series, series_request, lambda series: _single_value(series, series_request, scale), empty=None
            )
        case "TIME_SERIES_VALUES":
            return _group_by_label(response.series, series_request, lambda series: _numbers(series, scale), empty=[])
        case "SORTED_LIST" | "RECORD_LIST":
            return [one for series in response.series for one in _ranking_rows(series, scale)]
    message = f"{series_request.expression}: result type {response.kind[:40]} is not supported"
    raise ProviderError(Reason.QUERY_INVALID, message, "use a single value, a series or a ranking")


def _group_by_label(
    labeled_series: Sequence[LabeledSeries],
    series_request: SeriesRequest,
    build: Callable[[LabeledSeries], Any],
    *,
    empty: object,
) -> Any:
    """Return a map by label, or the only result if it has no labels. Equal labels are an error."""
    if not labeled_series:
        return empty
    if len(labeled_series) == 1 and not labeled_series[0].labels:
        return build(labeled_series[0])
    by_label: dict[str, Any] = {}
    for one in labeled_series:
        label = _format_labels(one.labels)
        if label in by_label:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"{series_request.expression}: two series have the label {label!r}",
                "distinguish them with relabels, or combine them with aggregate_labels",
            )
        by_label[label] = build(one)
    return by_label


def _single_value(labeled_series: LabeledSeries, series_request: SeriesRequest, scale: float) -> float | int | None:
    if len(labeled_series.buckets) > 1:
        raise_invalid_response(series_request.alias, f"a single value of {len(labeled_series.buckets)}")
    numbers = _numbers(labeled_series, scale)
    return numbers[0] if numbers else None


def _numbers(labeled_series: LabeledSeries, scale: float) -> list[float | int]:
    return [_scale_number(bucket, scale) for bucket in _present_values(labeled_series)]


def _ranking_rows(labeled_series: LabeledSeries, scale: float) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": _scale_number(bucket, scale)}
        for name, bucket in zip(labeled_series.names, labeled_series.buckets, strict=True)
        if bucket is not None
    ]


def _present_values(labeled_series: LabeledSeries) -> list[Number]:
    return [bucket for bucket in labeled_series.buckets if bucket is not None]


def _scale_number(number: Number, scale: float) -> Number:
    scaled = number if scale == 1.0 else number / scale
    if math.isinf(scaled):
        message = f"scale: {format_number(number)} divided by {scale:g} exceeds the range of numbers"
        raise ProviderError(Reason.BLOCK_INVALID, message, "increase scale")
    return scaled


def _format_labels(labels: Mapping[str, str]) -> str:
    """Return the value of a single label (`99`), or all labels (`name=value,p=99`)."""
    if len(labels) == 1:
        return next(iter(labels.values()))
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _format_result(result: Any) -> str:
    match result:
        case int() | float():
            return format_number(result)
        case list() if all(isinstance(one, int | float) for one in result):
            if len(result) <= _MAX_VALUES:
                return " ".join(format_number(one) for one in result)
            return f"{format_number(min(result))}..{format_number(max(result))}"
        case list():
            return ", ".join(f"{one['name']} {format_number(one['value'])}" for one in result[:3])
        case dict():
            return ", ".join(f"{key}: {_format_result(value)}" for key, value in list(result.items())[:3])
    return "none"
