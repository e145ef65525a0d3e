"""Metric values by name: series of entities as aliases of one request, and their responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, Window
from skywalking_provider.oap.api.bucket_ids import check_local_time_ids, check_millisecond_ids
from skywalking_provider.oap.api.inventory import InventoryService, instances_field
from skywalking_provider.oap.api.percentile_labels import POSITION_KEY, RANK_KEY, Label, normalise_percentile
from skywalking_provider.oap.api.request import GraphqlRequest, RequestFields, duration_variable
from skywalking_provider.oap.api.response_parser import raise_invalid_response
from skywalking_provider.oap.api.responses import EXPRESSION_RESULT, LABELED_METRICS_VALUES, METRICS_VALUES, MqeValues
from skywalking_provider.oap.api.values import Number, expression_error, parse_mqe_number

EXPRESSION_SELECTION = "{ type error results { metric { labels { key value } } values { id value } } }"

TIME_SERIES, SINGLE_VALUE = "TIME_SERIES_VALUES", "SINGLE_VALUE"
MAX_COUNT = 2**63  # Java's long
RANKINGS = ("SORTED_LIST", "RECORD_LIST")


class Role(StrEnum):
    """Purpose of a series in its measurement."""

    VALUE = "value"
    """Its numbers make the sample."""
    CALLS = "calls"
    """Its numbers count the calls that a value is made of."""
    LABELS = "labels"
    """Its labels are those that the metric has."""


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """One series to read: an expression, or the bare name of a metric on an OAP without expressions, of an entity.

    Attributes:
        alias: Field of the response that has the series.
        expression: The expression or the name of the metric.
        entity: Entity of the series.
        labeled: Whether the metric has labels.
        role: Purpose of the series.
    """

    alias: str
    expression: str
    entity: Entity
    labeled: bool = False
    role: Role = Role.VALUE


@dataclass(frozen=True, slots=True)
class LabeledSeries:
    """One series of a response.

    Attributes:
        labels: Labels of the series; those of percentiles are the same on every OAP.
        buckets: Numbers of the series, None for an absent one.
        names: Names of the ranked items; empty if the numbers are buckets of time.
    """

    labels: Mapping[str, str]
    buckets: tuple[Number | None, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesResponse:
    """Response to one `SeriesRequest`: MQE's result type and the series."""

    kind: str
    series: tuple[LabeledSeries, ...]


def decode_series(
    data: Mapping[str, Any], series_request: SeriesRequest, window: Window, *, mqe: bool
) -> SeriesResponse:
    """Decode the response of one series.

    Raises:
        ProviderError: OAP rejects the expression, a value is not a number, the response has an unexpected form, or its
            buckets are not those of the window.
    """
    return _decode_expression(data, series_request, window) if mqe else _decode_values(data, series_request, window)


def decode_calls(
    data: Mapping[str, Any], series_request: SeriesRequest, window: Window, *, mqe: bool
) -> tuple[int | None, ...]:
    """Decode the calls of each bucket from the response of a series that counts them.

    Raises:
        ProviderError: As `decode_series`; or a number is not a count.
    """
    series = decode_series(data, series_request, window, mqe=mqe).series
    if len(series) > 1:
        raise_invalid_response(series_request.alias, f"{len(series)} series of {series_request.expression}")
    calls = series[0].buckets if series else ()
    for count in calls:
        if count is not None and not 0 <= count < MAX_COUNT:
            raise_invalid_response(series_request.alias, f"{count} calls")
    return tuple(None if count is None else int(count) for count in calls)


def decode_labels(data: Mapping[str, Any], alias: str) -> frozenset[Label]:
    """Decode the labels of a metric from an expression that reads all of them; none if OAP rejects it."""
    result = EXPRESSION_RESULT.parse(data, alias)
    metrics = (one.metric for one in result.results)
    return frozenset((label.key, label.value or "") for one in metrics if one for label in one.labels)


def build_request(
    series_requests: Sequence[SeriesRequest],
    window: Window,
    *,
    mqe: bool,
    instances_of: Mapping[str, InventoryService] | None = None,
    beside: RequestFields | None = None,
) -> GraphqlRequest:
    """Build one request for all these series.

    Args:
        series_requests: Series with different aliases. There is at least one, unless there are further fields.
        window: Window of all series and lists.
        mqe: Whether the OAP supports expressions.
        instances_of: Services whose instances are listed, by the alias of the list.
        beside: Further fields, which have variables of their own.
    """
    variables, declared, fields = dict[str, object](), list[str](), list[str]()
    if series_requests or instances_of:
        variables["duration"] = duration_variable(window)
        declared.append("$duration: Duration!")
    for one in series_requests:
        if mqe:
            declared += [f"${one.alias}: String!", f"${one.alias}_entity: Entity!"]
            variables |= {one.alias: one.expression, f"{one.alias}_entity": encode_entity(one.entity)}
            fields.append(
                f"{one.alias}: execExpression(expression: ${one.alias}, entity: ${one.alias}_entity,"
                f" duration: $duration) {EXPRESSION_SELECTION}"
            )
        else:
            declared.append(f"${one.alias}: MetricsCondition!")
            variables[one.alias] = {"name": one.expression, "entity": encode_entity(one.entity)}
            query, more = (
                ("readLabeledMetricsValues", ', labels: ["0", "1", "2", "3", "4"]')
                if one.labeled
                else (
                    "readMetricsValues",
                    "",
                )
            )
            fields.append(
                f"{one.alias}: {query}(condition: ${one.alias}{more}, duration: $duration)"
                " { label values { values { id value } } }"
            )
    for alias, service in (instances_of or {}).items():
        declared.append(f"${alias}: ID!")
        variables[alias] = service.id
        fields.append(instances_field(alias))
    if beside is not None:
        declared += beside.declarations
        fields += beside.selections
        variables |= beside.variables
    return GraphqlRequest(f"query read({', '.join(declared)}) {{ {' '.join(fields)} }}", variables, window)


def encode_entity(entity: Entity) -> dict[str, object]:
    """Encode an entity as SkyWalking's `Entity` input."""
    encoded: dict[str, object] = {
        "scope": entity.scope.value,
        "serviceName": entity.service,
        "normal": entity.normal,
    }
    if entity.instance is not None:
        encoded["serviceInstanceName"] = entity.instance
    if entity.endpoint is not None:
        encoded["endpointName"] = entity.endpoint
    return encoded


def _decode_expression(data: Mapping[str, Any], series_request: SeriesRequest, window: Window) -> SeriesResponse:
    result = EXPRESSION_RESULT.parse(data, series_request.alias)
    if result.error:
        raise expression_error(series_request.expression, result.error)
    if result.type == "UNKNOWN":
        raise ProviderError(Reason.QUERY_INVALID, f"{series_request.expression}: OAP returns a result of type UNKNOWN")
    ranking = result.type in RANKINGS
    if result.type in (TIME_SERIES, SINGLE_VALUE):  # the ids of other types are names
        for at, one in enumerate(result.results):
            check_millisecond_ids(f"{series_request.alias}.results.{at}", (value.id for value in one.values), window)
    return SeriesResponse(
        result.type, tuple(_decode_expression_series(one, series_request, ranking=ranking) for one in result.results)
    )


def _decode_expression_series(mqe_values: MqeValues, series_request: SeriesRequest, *, ranking: bool) -> LabeledSeries:
    labels = {label.key: label.value or "" for label in (mqe_values.metric.labels if mqe_values.metric else ())}
    if POSITION_KEY in labels:  # 9.x labels percentiles by position
        labels[RANK_KEY] = normalise_percentile(labels.pop(POSITION_KEY))
    numbers = tuple(parse_mqe_number(one.value, series_request.expression) for one in mqe_values.values)
    return LabeledSeries(labels, numbers, tuple(one.id or "" for one in mqe_values.values) if ranking else ())


def _decode_values(data: Mapping[str, Any], series_request: SeriesRequest, window: Window) -> SeriesResponse:
    all_values = (
        LABELED_METRICS_VALUES.parse(data, series_request.alias)
        if series_request.labeled
        else (METRICS_VALUES.parse(data, series_request.alias),)
    )
    for one in all_values:
        check_local_time_ids(series_request.alias, (bucket.id for bucket in one.values.values), window)
    series = (
        LabeledSeries(
            {RANK_KEY: normalise_percentile(one.label or "")} if series_request.labeled else {},
            tuple(bucket.value for bucket in one.values.values),
        )
        for one in all_values
    )
    return SeriesResponse(TIME_SERIES, _drop_zero_rows(tuple(series)) if series_request.labeled else tuple(series))


def _drop_zero_rows(percentiles: tuple[LabeledSeries, ...]) -> tuple[LabeledSeries, ...]:
    """Mark the buckets as absent in which all percentiles are 0: OAP before 9.5 writes that for an absent bucket.

    It also rounds percentiles down to 10 ms, so a bucket whose calls all took less is not measured either.
    """
    zero = [not any(row) for row in zip(*(one.buckets for one in percentiles), strict=False)]
    return tuple(
        replace(one, buckets=tuple(None if absent else value for value, absent in zip(one.buckets, zero, strict=False)))
        for one in percentiles
    )
