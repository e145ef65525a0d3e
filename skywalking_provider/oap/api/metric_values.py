"""Reading metrics of entities by name, as aliases of one request, in the words that an OAP understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, Window
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.oap.api.responses import (
    EXPRESSION_RESULT,
    LABELED_METRICS_VALUES,
    METRICS_VALUES,
    MqeValues,
    raise_invalid_response,
)
from skywalking_provider.oap.api.values import Number, expression_error, parse_mqe_number

_EXPRESSION = "{ type error results { metric { labels { key value } } values { id value } } }"
_PERCENTILES = {"0": "50", "1": "75", "2": "90", "3": "95", "4": "99"}  # as 9.x counts them

TIME_SERIES, SINGLE_VALUE = "TIME_SERIES_VALUES", "SINGLE_VALUE"
MAX_COUNT = 2**63  # of anything that OAP counts
RANKINGS = ("SORTED_LIST", "RECORD_LIST")


class Role(StrEnum):
    """Purpose of a series in its measurement."""

    VALUE = "value"
    """Its numbers make the sample."""
    CALLS = "calls"
    """Its numbers count the calls that a value is made of."""


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
    """One series of an answer.

    Attributes:
        labels: Its labels; percentiles have the same ones on every OAP.
        buckets: Its numbers, `None` where absent.
        names: What each number belongs to in a ranking; elsewhere they are buckets of time.
    """

    labels: Mapping[str, str]
    buckets: tuple[Number | None, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesResponse:
    """The answer to one `Wanted`: MQE's type of it, and its series."""

    kind: str
    series: tuple[LabeledSeries, ...]


def decode_series(data: Mapping[str, Any], series_request: SeriesRequest, *, mqe: bool) -> SeriesResponse:
    """The answer to one alias.

    Raises:
        ProviderError: OAP does not accept the expression, its numbers are none, or the answer is no SkyWalking's.
    """
    return _decode_expression(data, series_request) if mqe else _decode_values(data, series_request)


def decode_calls(data: Mapping[str, Any], series_request: SeriesRequest, *, mqe: bool) -> tuple[int | None, ...]:
    """The calls of every bucket, of a read of a metric that counts them.

    Raises:
        ProviderError: As `reply_in`; they are no counts.
    """
    found = decode_series(data, series_request, mqe=mqe).series
    if len(found) > 1:
        raise_invalid_response(series_request.alias, f"{len(found)} series of {series_request.expression}")
    calls = found[0].buckets if found else ()
    for count in calls:
        if count is not None and not 0 <= count < MAX_COUNT:
            raise_invalid_response(series_request.alias, f"{count} calls")
    return tuple(None if count is None else int(count) for count in calls)


def build_request(series_requests: Sequence[SeriesRequest], window: Window, *, mqe: bool) -> GraphqlRequest:
    """One request for all these series."""
    variables: dict[str, object] = {"duration": duration_variable(window)}
    declared, fields = ["$duration: Duration!"], []
    for one in series_requests:
        if mqe:
            declared += [f"${one.alias}: String!", f"${one.alias}_entity: Entity!"]
            variables |= {one.alias: one.expression, f"{one.alias}_entity": _encode_entity(one.entity)}
            fields.append(
                f"{one.alias}: execExpression(expression: ${one.alias}, entity: ${one.alias}_entity,"
                f" duration: $duration) {_EXPRESSION}"
            )
        else:
            declared.append(f"${one.alias}: MetricsCondition!")
            variables[one.alias] = {"name": one.expression, "entity": _encode_entity(one.entity)}
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
    return GraphqlRequest(f"query read({', '.join(declared)}) {{ {' '.join(fields)} }}", variables, window)


def _encode_entity(entity: Entity) -> dict[str, object]:
    written: dict[str, object] = {
        "scope": entity.scope.value,
        "serviceName": entity.service,
        "normal": entity.normal,
    }
    if entity.instance is not None:
        written["serviceInstanceName"] = entity.instance
    if entity.endpoint is not None:
        written["endpointName"] = entity.endpoint
    return written


def _decode_expression(data: Mapping[str, Any], series_request: SeriesRequest) -> SeriesResponse:
    answer = EXPRESSION_RESULT.parse(data, series_request.alias)
    if answer.error:
        raise expression_error(series_request.expression, answer.error)
    if answer.type == "UNKNOWN":
        raise ProviderError(Reason.QUERY_INVALID, f"{series_request.expression}: OAP does not know what it is")
    ranking = answer.type in RANKINGS
    return SeriesResponse(
        answer.type, tuple(_decode_expression_series(one, series_request, ranking=ranking) for one in answer.results)
    )


def _decode_expression_series(mqe_values: MqeValues, series_request: SeriesRequest, *, ranking: bool) -> LabeledSeries:
    labels = {label.key: label.value or "" for label in (mqe_values.metric.labels if mqe_values.metric else ())}
    if "_" in labels:  # 9.x counts the percentiles
        labels["p"] = _normalise_percentile(labels.pop("_"))
    numbers = tuple(parse_mqe_number(one.value, series_request.expression) for one in mqe_values.values)
    return LabeledSeries(labels, numbers, tuple(one.id or "" for one in mqe_values.values) if ranking else ())


def _decode_values(data: Mapping[str, Any], series_request: SeriesRequest) -> SeriesResponse:
    answers = (
        LABELED_METRICS_VALUES.parse(data, series_request.alias)
        if series_request.labeled
        else (METRICS_VALUES.parse(data, series_request.alias),)
    )
    found = (
        LabeledSeries(
            {"p": _normalise_percentile(one.label or "")} if series_request.labeled else {},
            tuple(bucket.value for bucket in one.values.values),
        )
        for one in answers
    )
    return SeriesResponse(TIME_SERIES, tuple(found))


def _normalise_percentile(label: str) -> str:
    return _PERCENTILES.get(label, label)
