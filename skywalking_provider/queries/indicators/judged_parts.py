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


def split_into_hours(window: Window) -> list[Window]:
    """Split a window at whole hours, so that runs that started at different times share their requests.

    The first part starts at the whole hour before the window, unless the clock was changed in between. The last part
    has at least two buckets if the window has: OAP before 9.5 rejects a single one.
    """
    zone, end = window.end.tzinfo, window.end.astimezone(UTC)
    start = window.start.astimezone(UTC).replace(minute=0)
    if start.astimezone(zone).utcoffset() != window.start.utcoffset():
        start = window.start.astimezone(UTC)
    borders = [start]
    while borders[-1] + _PART < end - window.step:
        borders.append((borders[-1] + _PART).replace(minute=0))
    return [
        Window(first.astimezone(zone), last.astimezone(zone), window.step) for first, last in pairwise([*borders, end])
    ]


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
    count = len(parts[0].sides)
    names = ("canary", "stable")[:count] if count > 1 else ("",)
    decoded = [_decode_side(indicator, parts, at, window, mqe=mqe) for at in range(count)]
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


def _decode_side(
    indicator: JudgedIndicator, parts: Sequence[PartReads], at: int, window: Window, *, mqe: bool
) -> dict[int, SideMinute]:
    """Return the minutes of one side by position in the window."""
    rows_by_minute: dict[int, list[BucketValue]] = {}
    for part in parts:
        side = part.sides[at]
        if side.metrics is None:
            continue
        offset = (part.window.start.astimezone(UTC) - window.start.astimezone(UTC)) // window.step
        rows_by_entity = decode_entities(
            indicator, side.metrics, side.entities, part.window, part.batch.data, mqe=mqe, first=side.first
        )
        for rows in rows_by_entity.values():
            for row in rows:
                rows_by_minute.setdefault(offset + row.bucket, []).append(row)
    positions = range(window.buckets)
    return {
        minute: indicator.summarize_minute(rows)
        for minute, rows in sorted(rows_by_minute.items())
        if minute in positions
    }


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
