"""Absent buckets of the author's V2 reads, decoded from the presence reads that the rewrite added."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.model import Window
from skywalking_provider.oap.api.bucket_ids import check_local_time_ids
from skywalking_provider.oap.api.responses import (
    KV_INT,
    LABELED_METRICS_VALUES,
    METRICS_VALUES,
    KVInt,
    raise_invalid_response,
)
from skywalking_provider.queries.graphql.rewrite import MetricRead
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
            another window.
    """
    alias = metric_read.presence_alias
    if metric_read.single or alias is None:
        return [named_series(name, "", (_single_value(name, metric_read, data),))]
    values = LABELED_METRICS_VALUES.parse(data, alias) if metric_read.labeled else (METRICS_VALUES.parse(data, alias),)
    if metric_read.in_window:
        for one in values:
            check_local_time_ids(alias, (bucket.id for bucket in one.values.values), window)
    has_calls = _buckets_with_calls(metric_read, data)
    labels = [one.label if one.label and len(values) > 1 else "" for one in values]
    return [
        named_series(name, label, _mark_absent(alias, one.values.values, has_calls))
        for label, one in zip(labels, values, strict=True)
    ] or [named_series(name, "", ())]


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
