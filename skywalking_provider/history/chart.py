"""Chart geometry: a bar for a value, a flat line for zero and a gap for an absent bucket. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from skywalking_provider.analysis.threshold import Threshold, parse_threshold
from skywalking_provider.model import Window
from skywalking_provider.queries.series import Bucket, Series, format_number
from skywalking_provider.support.counts import format_count

WIDTH = 400.0
HEIGHT = 96.0
LABEL_HEIGHT = 20.0  # space above the bars for their labels
_CHARACTER_WIDTH = 6.4  # of a digit in a bar label
_MAX_TIME_LABELS = 6


class BarKind(StrEnum):
    """Kind of a bucket, which decides how its bar is drawn."""

    VALUE = "value"
    ZERO = "zero"
    ABSENT = "absent"
    NOT_A_NUMBER = "not-a-number"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bucket of a chart.

    Attributes:
        kind: Kind of the bucket.
        violates: Whether the value does not meet the threshold.
        slot: Left edge of the space of the bucket; the bar is narrower and centred in it.
        x: Left edge of the bar.
        y: Upper edge of the bar.
        width: Width of the bar.
        height: Height of the bar.
        label: Value as text.
        time: Start of the bucket as HH:MM, in the time zone of the window.
    """

    kind: BarKind
    violates: bool
    slot: float
    x: float
    y: float
    width: float
    height: float
    label: str
    time: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Layout of one series in an area of WIDTH x HEIGHT.

    Attributes:
        name: Name of the series.
        bars: Bars of the buckets; empty if the values are not the buckets of the window.
        values: Values as text, shown if there are no bars.
        time_labels: Position and text of the times below the bars.
        threshold: Position and text of the threshold; None if the condition is not a plain comparison.
        summary: Text alternative of the chart, for screen readers.
    """

    name: str
    bars: tuple[Bar, ...]
    values: str
    time_labels: tuple[tuple[float, str], ...]
    threshold: tuple[float, str] | None
    summary: str

    @property
    def has_bar_labels(self) -> bool:
        """Whether every bar is wide enough for its label."""
        return bool(self.bars) and max(len(bar.label) for bar in self.bars) * _CHARACTER_WIDTH <= WIDTH / len(self.bars)


def build_chart(series: Series, window: Window | None, condition: str = "") -> Chart:
    """Build the chart of one series.

    Args:
        series: Series to draw.
        window: Window of the series. No bars are drawn without it, or if the series has another number of buckets.
        condition: The successCondition, if it applies to this series.
    """
    if window is None or len(series.buckets) != window.buckets or window.buckets < 2:
        values = " ".join(map(_format_bucket, series.buckets)) or "no value"
        return Chart(series.name, (), values[:400], (), None, f"{series.name}: {values[:200]}")
    threshold = parse_threshold(condition)
    highest = max([bucket for bucket in series.buckets if isinstance(bucket, int | float)], default=0.0)
    top = max(highest, threshold.value if threshold else 0.0) or 1.0
    bars = tuple(_build_bars(series, window, top, threshold))
    line = None
    if threshold and threshold.value >= 0:
        line = (
            _scale_y(threshold.value, top),
            f"{threshold.symbol} {format_number(threshold.value)}",
        )
    return Chart(series.name, bars, "", tuple(_build_time_labels(bars)), line, _summarize(series))


def _build_bars(series: Series, window: Window, top: float, threshold: Threshold | None) -> Iterator[Bar]:
    slot = WIDTH / len(series.buckets)
    width = min(slot * 0.72, 44.0)
    for at, bucket in enumerate(series.buckets):
        time = window.bucket_start(at).strftime("%H:%M")
        x = slot * at + (slot - width) / 2
        y = _scale_y(bucket, top) if isinstance(bucket, int | float) else LABEL_HEIGHT
        violates = threshold is not None and isinstance(bucket, int | float) and not threshold.is_met_by(bucket)
        yield Bar(
            _bar_kind(bucket),
            violates,
            slot * at,
            _round(x),
            _round(y),
            _round(width),
            _round(HEIGHT - y),
            _format_bucket(bucket),
            time,
        )


def _bar_kind(bucket: Bucket) -> BarKind:
    match bucket:
        case None:
            return BarKind.ABSENT
        case str():
            return BarKind.NOT_A_NUMBER
        case 0:
            return BarKind.ZERO
    return BarKind.VALUE


def _scale_y(value: float, top: float) -> float:
    return _round(HEIGHT - (HEIGHT - LABEL_HEIGHT) * min(1.0, max(0.0, value / top)))


def _build_time_labels(bars: tuple[Bar, ...]) -> Iterator[tuple[float, str]]:
    step = max(1, -(-len(bars) // _MAX_TIME_LABELS))
    for bar in bars[::step]:
        yield _round(bar.x + bar.width / 2), bar.time


def _summarize(series: Series) -> str:
    numbers = [bucket for bucket in series.buckets if isinstance(bucket, int | float)]
    absent = len(series.buckets) - len(series.present)
    span = f"{format_number(min(numbers))} to {format_number(max(numbers))}" if numbers else "no value"
    return f"{series.name}: {span} in {format_count(len(series.buckets), 'minute')}, {absent} absent"


def _format_bucket(bucket: Bucket) -> str:
    if bucket is None:
        return "–"
    return bucket[:12] if isinstance(bucket, str) else format_number(bucket)


def _round(number: float) -> float:
    return round(number, 2)
