"""Absent buckets of the author's V2 reads, decoded from the presence reads that the rewrite added."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.model import Window
from skywalking_provider.oap.api.bucket_ids import check_local_time_ids
from skywalking_provider.oap.api.metric_values import decode_labels
from skywalking_provider.oap.api.percentile_labels import POSITION_KEY
from skywalking_provider.oap.api.response_parser import raise_invalid_response
from skywalking_provider.oap.api.responses import (
    KV_INT,
    LABELED_METRICS_VALUES,
    METRICS_VALUES,
    IntValues,
    KVInt,
    MetricsValues,
)
from skywalking_provider.queries.graphql.metric_read import MetricRead
from skywalking_provider.queries.labels import check_selected_labels, check_v2_labels, parse_v2_label
from skywalking_provider.queries.series import Series, named_series


def series_with_absent_buckets(
    name: str, metric_read: MetricRead, window: Window, data: Mapping[str, Any]
) -> list[Series]:
    """Return the series of a read with absent buckets as None: one for each label, at least one.

    Args:
        name: Response name of the read.
        metric_read: Read whose response was checked.
        window: Window of the request.
        data: Data of the response, presence reads included.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID, if the response of a presence read has another shape, or the buckets of
            another window. QUERY_INVALID, if a percentile has no such label.
    """
    alias = metric_read.presence_alias
    if metric_read.single or alias is None:
        return [named_series(name, "", (_single_value(name, metric_read, data),))]
    values = LABELED_METRICS_VALUES.parse(data, alias) if metric_read.labeled else (METRICS_VALUES.parse(data, alias),)
    for one in values:
        check_local_time_ids(alias, (bucket.id for bucket in one.values.values), window)
    has_calls = _buckets_with_calls(metric_read, data)
    if metric_read.labeled and has_calls is not None:
        has_calls = _buckets_with_percentiles(alias, values, has_calls)
    if metric_read.labels:
        values = _select_labels(metric_read, values)
    labels = [one.label if one.label and len(values) > 1 else "" for one in values]
    return [
        # A label without data has no buckets.
        named_series(
            name,
            label,
            _mark_absent(alias, one.values.values, has_calls) if one.values.values or not metric_read.labels else (),
        )
        for label, one in zip(labels, values, strict=True)
    ] or [named_series(name, "", ())]


def find_label_problem(name: str, metric_read: MetricRead, data: Mapping[str, Any]) -> str:
    """Return the likely cause of missing data if the OAP has none of a requested label; empty if it has.

    Raises:
        ProviderError: QUERY_INVALID, if the metric is a percentile and has no such label.
    """
    if metric_read.label_reads:
        labels = {metric: decode_labels(data, alias) for metric, alias in metric_read.label_reads.items()}
        return check_selected_labels(name, metric_read.selected_labels, labels)
    if not metric_read.labels or metric_read.presence_alias is None:
        return ""
    values = LABELED_METRICS_VALUES.parse(data, metric_read.presence_alias)
    known = {label for one in values if one.label for label in parse_v2_label(one.label)}
    return check_v2_labels(name, metric_read.metric or metric_read.kind, metric_read.labels, known)


def _select_labels(metric_read: MetricRead, values: Sequence[MetricsValues]) -> tuple[MetricsValues, ...]:
    """Return the series of the requested labels, in their order. One without data has no buckets."""
    by_label = {label: one for one in values if one.label for label in parse_v2_label(one.label)}
    return tuple(
        MetricsValues(
            by_label[POSITION_KEY, label].values if (POSITION_KEY, label) in by_label else IntValues(()), label
        )
        for label in metric_read.labels
    )


def _buckets_with_percentiles(path: str, values: Sequence[MetricsValues], has_calls: Sequence[bool]) -> list[bool]:
    """Return for every bucket whether it has calls and a percentile that is not 0.

    An OAP before 9.5 writes 0 for an absent percentile and for one below 10 ms; one of the bucket's others shows which.
    """
    columns = [_mark_absent(path, one.values.values, has_calls) for one in values]
    return [called and any(column[at] for column in columns) for at, called in enumerate(has_calls)]


def _single_value(name: str, metric_read: MetricRead, data: Mapping[str, Any]) -> int | None:
    if metric_read.presence_alias is not None:
        nullable = KV_INT.parse(data, metric_read.presence_alias)
        return None if nullable.empty else nullable.value
    has_calls = _buckets_with_calls(metric_read, data)
    value: int = data[name]
    return value if has_calls is None or any(has_calls) else None


def _buckets_with_calls(metric_read: MetricRead, data: Mapping[str, Any]) -> list[bool] | None:
    """Return for every bucket whether it has calls; None if the calls were not read."""
    if metric_read.calls_alias is None:
        return None
    return [bool(one.value) for one in METRICS_VALUES.parse(data, metric_read.calls_alias).values.values]


def _mark_absent(path: str, values: Sequence[KVInt], has_calls: Sequence[bool] | None) -> tuple[int | None, ...]:
    if has_calls is None:
        return tuple(None if one.empty else one.value for one in values)
    if len(values) != len(has_calls):
        raise_invalid_response(path, f"{len(values)} buckets, and {len(has_calls)} of the calls")
    return tuple(one.value if called else None for one, called in zip(values, has_calls, strict=True))
