"""Rows of the chart that `check` prints: the series of a sample with the times of their buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from skywalking_provider.model import Entity, Window
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Bucket, Series


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One series.

    Attributes:
        name: Name of the indicator, of the expression, or of the field of a GraphQL query.
        entity: Entity of the series; empty if the query names it itself.
        buckets: Values in the unit of the result; None for an absent bucket.
        times: Start of each bucket in the OAP's time zone; empty if the values are not the buckets of the window.
        ids: Names of the values of a ranking; empty for other series.
    """

    name: str
    entity: str
    buckets: tuple[Bucket, ...]
    times: tuple[datetime, ...] = ()
    ids: tuple[str, ...] = ()


def build_chart_rows(sample: Sample | None, window: Window | None) -> list[ChartRow]:
    """Return a row for each series of a sample; no row without a sample."""
    if sample is None or window is None:
        return []
    return [_build_row(series, window) for series in sample.chart_series]


def _build_row(series: Series, window: Window) -> ChartRow:
    times: Sequence[datetime] = ()
    if not series.ids and len(series.buckets) == window.buckets:
        times = [window.bucket_start(position) for position in range(window.buckets)]
    return ChartRow(series.name, _format_entity(series.entity), series.buckets, tuple(times), series.ids)


def _format_entity(entity: Entity | None) -> str:
    if entity is None:
        return ""
    return entity.name if entity.name == entity.service else f"{entity.name} of {entity.service}"
