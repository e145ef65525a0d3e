"""Parts of a judged window, with the reads of both sides in each and the minutes decoded from them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from itertools import pairwise
from typing import Final

from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.errors import EntityNotFoundError
from skywalking_provider.model import EntitySet, Window
from skywalking_provider.oap.api.batching import BatchResult
from skywalking_provider.oap.api.metric_values import SeriesRequest
from skywalking_provider.queries.days import split_into_days
from skywalking_provider.queries.entities import describe_subject
from skywalking_provider.queries.indicators.base import BucketValue, JudgedIndicator
from skywalking_provider.queries.indicators.reads import IndicatorMetrics, build_indicator_requests, decode_entities
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from skywalking_provider.queries.sides import Side, SideMinute, Sides

_PART: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SideReads:
    """Entities and metrics of one side in a part of the window.

    Attributes:
        entities: Entities of the side; without members if it had none in this part.
        metrics: Metrics at their scope; None without members.
        first: Number of the first entity in the aliases of the request.
        missing: Error of a side without members.
    """

    entities: EntitySet
    metrics: IndicatorMetrics | None = None
    first: int = 0
    missing: EntityNotFoundError | None = None

    def build_requests(self) -> list[SeriesRequest]:
        """Build the requests for the calls and values of every entity."""
        return build_indicator_requests(self.metrics, self.entities, self.first) if self.metrics else []


@dataclass(frozen=True, slots=True)
class PartReads:
    """A part of the window with its own entities, so that all runs share its requests.

    Attributes:
        window: The part.
        sides: The canary, and stable unless there is an objective.
        batch: Responses to the requests of all sides.
    """

    window: Window
    sides: tuple[SideReads, ...]
    batch: BatchResult


def split_into_hours(window: Window, *, single_buckets: bool = False) -> list[Window]:
    """Split a window at whole hours, so that runs that started at different times share their requests.

    The first part starts at the whole hour before the window, unless the clock was changed in between. The last part
    has at least two buckets if the window has: OAP before 9.5 rejects a single one. Parts end at midnight, too.

    Args:
        window: The window.
        single_buckets: See `split_into_days`.
    """
    zone, end = window.end.tzinfo, window.end.astimezone(UTC)
    start = window.start.astimezone(UTC).replace(minute=0)
    if start.astimezone(zone).utcoffset() != window.start.utcoffset():
        start = window.start.astimezone(UTC)
    borders = [start]
    while borders[-1] + _PART < end - window.step:
        borders.append((borders[-1] + _PART).replace(minute=0))
    hours = [
        Window(first.astimezone(zone), last.astimezone(zone), window.step) for first, last in pairwise([*borders, end])
    ]
    return [day for hour in hours for day in split_into_days(hour, single_buckets=single_buckets)]


def decode_sides(
    spec: JudgedSpec, indicator: JudgedIndicator, parts: Sequence[PartReads], window: Window, *, mqe: bool
) -> Sample:
    """Collect the minutes of both sides.

    Args:
        spec: Spec of the block.
        indicator: Indicator of the block.
        parts: Parts of the window in order. One part at least has entities of each side.
        window: Window of the measurement. Minutes before it are ignored.
        mqe: Whether the requests were expressions.

    Raises:
        ProviderError: OAP rejects a metric, or a value is out of range.
    """
    decoded = [(part, decode_part(indicator, part, mqe=mqe)) for part in parts]
    return merge_parts(spec, indicator, decoded, window)


SideMinutes = Mapping[int, SideMinute]
"""Minutes of one side by position."""


def decode_part(indicator: JudgedIndicator, part: PartReads, *, mqe: bool) -> tuple[SideMinutes, ...]:
    """Return the minutes of each side by position in a part.

    Args:
        indicator: Indicator of the block.
        part: The part.
        mqe: Whether the requests were expressions.

    Raises:
        ProviderError: OAP rejects a metric, or a value is out of range.
    """
    return tuple(_decode_side(indicator, part, side, mqe=mqe) for side in part.sides)


def merge_parts(
    spec: JudgedSpec,
    indicator: JudgedIndicator,
    decoded_parts: Sequence[tuple[PartReads, tuple[SideMinutes, ...]]],
    window: Window,
) -> Sample:
    """Collect the minutes of both sides from decoded parts.

    Args:
        spec: Spec of the block.
        indicator: Indicator of the block.
        decoded_parts: Parts in order, each with its minutes. One part at least has entities of each side.
        window: Window of the measurement. Minutes outside of it are ignored.
    """
    parts = [part for part, _ in decoded_parts]
    count = len(parts[0].sides)
    names = ("canary", "stable")[:count] if count > 1 else ("",)
    decoded = [_merge_side([(part, minutes[at]) for part, minutes in decoded_parts], window) for at in range(count)]
    metrics = [next(one for part in parts if (one := part.sides[at].metrics)) for at in range(count)]
    series = tuple(
        Series(_name(used.value or used.calls, name), tuple(one.calls for one in minutes.values()))
        for used, minutes, name in zip(metrics, decoded, names, strict=True)
    )
    both = Sides(
        spec, indicator.label, *(Side(minutes, _describe_side(parts, at)) for at, minutes in enumerate(decoded))
    )
    chart_series = tuple(
        one
        for minutes, name in zip(decoded, names, strict=True)
        for one in _build_chart_series(indicator, minutes, name, window)
    )
    return Sample(
        None,
        indicator.label,
        series,
        sum(one.calls for one in decoded[0].values()),
        buckets_with_data=len(both.counted),
        chart_series=chart_series,
        sides=both,
    )


def _decode_side(indicator: JudgedIndicator, part: PartReads, side: SideReads, *, mqe: bool) -> dict[int, SideMinute]:
    """Return the minutes of one side by position in a part."""
    if side.metrics is None:
        return {}
    rows_by_minute: dict[int, list[BucketValue]] = {}
    rows_by_entity = decode_entities(
        indicator, side.metrics, side.entities, part.window, part.batch.data, mqe=mqe, first=side.first
    )
    for rows in rows_by_entity.values():
        for row in rows:
            rows_by_minute.setdefault(row.bucket, []).append(row)
    return {minute: indicator.summarize_minute(rows) for minute, rows in sorted(rows_by_minute.items())}


def _merge_side(parts: Sequence[tuple[PartReads, SideMinutes]], window: Window) -> dict[int, SideMinute]:
    """Return the minutes of one side by position in the window."""
    start, buckets = window.start.astimezone(UTC), window.buckets
    merged = dict[int, SideMinute]()
    for part, minutes in parts:
        offset = (part.window.start.astimezone(UTC) - start) // window.step
        for at, minute in minutes.items():
            if 0 <= offset + at < buckets:
                merged[offset + at] = minute
    return merged


def _describe_side(parts: Sequence[PartReads], at: int) -> str:
    """Return the description of the instances that one side had in any part."""
    found = [part.sides[at].entities for part in parts if part.sides[at].entities.members]
    members = dict.fromkeys(entity for entities in found for entity in entities.members)
    return describe_subject(replace(found[-1], members=tuple(members)))


def _build_chart_series(
    indicator: JudgedIndicator, minutes: Mapping[int, SideMinute], name: str, window: Window
) -> Iterator[Series]:
    """Yield the indicator and the calls of one side by minute."""
    positions = range(window.buckets)
    values = {at: indicator.chart_value(one) for at, one in minutes.items()}
    yield Series(_name(indicator.label, name), tuple(values.get(at) for at in positions))
    calls = tuple(minutes[at].calls if at in minutes else None for at in positions)
    yield Series(_name("calls", name), calls, counts_calls=True)


def _name(text: str, side: str) -> str:
    return f"{text} of {side}" if side else text
