"""Which buckets of an author's V2 read are there, as the companions of the read tell it (see `healing`). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.oap.api import responses
from skywalking_provider.oap.api.responses import (
    KV_INT,
    LABELED_METRICS_VALUES,
    METRICS_VALUES,
    raise_invalid_response,
)
from skywalking_provider.queries.graphql.rewrite import CALLS_PREFIX, PRESENCE_PREFIX, MetricRead
from skywalking_provider.queries.series import Series


def series_with_absent_buckets(name: str, metric_read: MetricRead, data: Mapping[str, Any]) -> list[Series]:
    """The series of a read, absent buckets as None: by label where it has any, at least one.

    Args:
        name: The response name of the read.
        metric_read: The read, answered in SkyWalking's form.
        data: The answer's data, companions included.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID, where a companion is answered in another form.
    """
    if metric_read.single:
        return [Series(name, (_single_value(name, metric_read, data),))]
    told = f"{PRESENCE_PREFIX}{name}"
    several = LABELED_METRICS_VALUES.parse(data, told) if metric_read.labeled else (METRICS_VALUES.parse(data, told),)
    called = _buckets_with_calls(name, metric_read, data)
    labels = [one.label if one.label and len(several) > 1 else "" for one in several]
    return [
        Series(f"{name} {label}".rstrip(), _mark_absent(told, one.values.values, called))
        for label, one in zip(labels, several, strict=True)
    ] or [Series(name, ())]


def _single_value(name: str, metric_read: MetricRead, data: Mapping[str, Any]) -> int | None:
    if f"{PRESENCE_PREFIX}{name}" in metric_read.companions:
        told = KV_INT.parse(data, f"{PRESENCE_PREFIX}{name}")
        return None if told.empty else told.value
    called = _buckets_with_calls(name, metric_read, data)
    value: int = data[name]
    return value if called is None or any(called) else None


def _buckets_with_calls(name: str, metric_read: MetricRead, data: Mapping[str, Any]) -> list[bool] | None:
    """Bucket by bucket, whether there were calls; None where nobody was asked."""
    if f"{CALLS_PREFIX}{name}" not in metric_read.companions:
        return None
    return [bool(one.value) for one in METRICS_VALUES.parse(data, f"{CALLS_PREFIX}{name}").values.values]


def _mark_absent(
    path: str, values: Sequence[responses.KVInt], has_calls: Sequence[bool] | None
) -> tuple[int | None, ...]:
    if has_calls is None:
        return tuple(None if one.empty else one.value for one in values)
    if len(values) != len(has_calls):
        raise_invalid_response(path, f"{len(values)} buckets, and {len(has_calls)} of calls beside them")
    return tuple(one.value if there else None for one, there in zip(values, has_calls, strict=True))
