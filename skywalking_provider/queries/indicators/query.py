"""Form C: an indicator by name, over the whole window, from counts where OAP keeps counts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.block import IndicatorName, IndicatorSpec
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, EntitySet, Window
from skywalking_provider.oap.api.metric_values import (
    MAX_COUNT,
    SeriesRequest,
    SeriesResponse,
    decode_calls,
    decode_series,
)
from skywalking_provider.oap.api.responses import raise_invalid_response
from skywalking_provider.oap.api.values import Number
from skywalking_provider.queries.indicators.counts import (
    FULL,
    Counts,
    compute_counts,
    sum_counts,
    weighted_mean,
)
from skywalking_provider.queries.indicators.metric_names import available_metric, resolve_scope_metrics
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series, format_number


@dataclass(frozen=True, slots=True)
class IndicatorMetrics:
    """The metrics of one indicator: what is measured (nothing for throughput), and the calls behind it."""

    value: str | None
    calls: str
    labeled: bool = False


def select_indicator_metrics(spec: IndicatorSpec, entities: EntitySet, known: Collection[str]) -> IndicatorMetrics:
    """Choose the metrics by scope, layer and what the OAP has.

    Raises:
        ProviderError: METRIC_UNAVAILABLE, with the recipe to have it.
    """
    names = resolve_scope_metrics(entities, known)
    calls = available_metric("calls", names.calls, known, entities)
    match spec.sli:
        case IndicatorName.THROUGHPUT:
            return IndicatorMetrics(None, calls)
        case IndicatorName.SUCCESS_RATE:
            return IndicatorMetrics(available_metric("success-rate", names.success_rate, known, entities), calls)
        case IndicatorName.APDEX:
            return IndicatorMetrics(available_metric("apdex", names.apdex, known, entities), calls)
        case IndicatorName.LATENCY if spec.percentile is not None:
            return IndicatorMetrics(
                available_metric("percentile", names.percentile, known, entities), calls, labeled=True
            )
    return IndicatorMetrics(available_metric("latency", names.latency, known, entities), calls)


def build_indicator_requests(metrics: IndicatorMetrics, entities: EntitySet) -> list[SeriesRequest]:
    """Calls and values of every entity."""
    wanted = [SeriesRequest(f"c{at}", metrics.calls, entity) for at, entity in enumerate(entities.members)]
    if metrics.value is not None:
        wanted += [
            SeriesRequest(f"v{at}", metrics.value, entity, labeled=metrics.labeled)
            for at, entity in enumerate(entities.members)
        ]
    return wanted


def decode_indicator(
    spec: IndicatorSpec,
    metrics: IndicatorMetrics,
    entities: EntitySet,
    window: Window,
    data: Mapping[str, Any],
    *,
    mqe: bool,
) -> Sample:
    """The indicator of the window.

    Args:
        spec: The block.
        metrics: As in `wanted_by`.
        entities: As in `wanted_by`.
        window: The window read.
        data: The answers to `wanted_by`, together.
        mqe: Whether the OAP was asked by MQE. Where it was not, a minute without calls has no values.

    Raises:
        ProviderError: OAP does not accept a metric, or its numbers are none.
    """
    by_entity = {
        entity: _decode_bucket_values(spec, metrics, at, entity, window, data, mqe=mqe)
        for at, entity in enumerate(entities.members)
    }
    rows = [row for of_entity in by_entity.values() for row in of_entity]
    calls = sum(row.calls for row in rows)
    reads = (Series(metrics.value or metrics.calls, tuple(row.calls for row in rows)),)
    if not rows:
        return Sample(None, spec.sli, reads, 0)
    result = _compute_indicator(spec, rows, window)
    covered = len({row.bucket for row in rows})
    shown = tuple(one for entity, its in by_entity.items() for one in _build_chart_series(spec, entity, its, window))
    return Sample(result, f"{_indicator_label(spec)} {_summary(spec, rows, result)}", reads, calls, covered, shown)


@dataclass(frozen=True, slots=True)
class BucketValue:
    """One bucket of one entity that has calls, and a value where one is measured."""

    bucket: int
    calls: int
    value: float


def _decode_bucket_values(
    spec: IndicatorSpec,
    metrics: IndicatorMetrics,
    at: int,
    entity: Entity,
    window: Window,
    data: Mapping[str, Any],
    *,
    mqe: bool,
) -> list[BucketValue]:
    calls = decode_calls(data, SeriesRequest(f"c{at}", metrics.calls, entity), mqe=mqe)
    if len(calls) not in (0, window.buckets):
        raise_invalid_response(f"c{at}", f"{len(calls)} buckets of {window.buckets}")
    values: Sequence[Number | None] = calls
    if metrics.value is not None:
        wanted = SeriesRequest(f"v{at}", metrics.value, entity, labeled=metrics.labeled)
        values = _select_series(
            decode_series(data, wanted, mqe=mqe), wanted, str(spec.percentile) if metrics.labeled else None
        )
    most = FULL if spec.sli in (IndicatorName.SUCCESS_RATE, IndicatorName.APDEX) else MAX_COUNT
    if len(values) not in (0, len(calls)) or not all(0 <= one <= most for one in values if one is not None):
        what = f"{metrics.value or metrics.calls}, {metrics.calls}: the numbers are none that SkyWalking writes"
        raise ProviderError(Reason.OAP_RESPONSE_INVALID, what, "is the backend a SkyWalking OAP?")
    return [
        BucketValue(bucket, count, float(value))
        for bucket, (count, value) in enumerate(zip(calls, values, strict=False))
        if count and value is not None
    ]


def _build_chart_series(
    spec: IndicatorSpec, entity: Entity, rows: Sequence[BucketValue], window: Window
) -> Iterator[Series]:
    """The indicator and the calls of one entity, minute by minute."""
    whose = f" {entity.instance}" if entity.instance else ""
    unit = FULL if spec.sli in (IndicatorName.SUCCESS_RATE, IndicatorName.APDEX) else 1
    values = {row.bucket: row.value / unit for row in rows}
    calls = {row.bucket: row.calls for row in rows}
    if spec.sli is not IndicatorName.THROUGHPUT:
        yield Series(f"{_indicator_label(spec)}{whose}", tuple(values.get(at) for at in range(window.buckets)))
    yield Series(f"calls{whose}", tuple(calls.get(at) for at in range(window.buckets)), counts_calls=True)


def _select_series(
    response: SeriesResponse, series_request: SeriesRequest, percentile: str | None
) -> Sequence[Number | None]:
    """The one series that is meant; of a percentile, that with its label."""
    found = [one for one in response.series if percentile is None or one.labels.get("p") == percentile]
    if len(found) > 1:
        raise_invalid_response(series_request.alias, f"{len(found)} series of {series_request.expression}")
    return found[0].buckets if found else ()


def _compute_indicator(spec: IndicatorSpec, rows: Sequence[BucketValue], window: Window) -> float:
    match spec.sli:
        case IndicatorName.SUCCESS_RATE:
            return _sum_bucket_counts(rows).success_rate
        case IndicatorName.APDEX:
            return weighted_mean((row.value, row.calls) for row in rows) / FULL
        case IndicatorName.THROUGHPUT:
            return sum(row.calls for row in rows) / window.buckets
        case IndicatorName.LATENCY if spec.percentile is not None and spec.aggregate != "weighted":
            return max(row.value for row in rows)
    return weighted_mean((row.value, row.calls) for row in rows)


def _summary(spec: IndicatorSpec, rows: Sequence[BucketValue], result: float) -> str:
    """The indicator; where OAP's ratio leaves it open, what it may be at best, too."""
    least, most = format_number(result), ""
    if spec.sli is IndicatorName.SUCCESS_RATE:
        most = format_number(_sum_bucket_counts(rows).success_rate_at_most)
    return f"{least} (at most {most})" if most not in ("", least) else least


def _sum_bucket_counts(rows: Sequence[BucketValue]) -> Counts:
    return sum_counts([compute_counts(int(row.value), row.calls) for row in rows])


def _indicator_label(spec: IndicatorSpec) -> str:
    return f"latency p{spec.percentile}" if spec.percentile else spec.sli.value
