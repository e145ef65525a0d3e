"""The geometry of a chart: a bar a bucket, a gap where a bucket is absent, a flat line where it is zero. Pure."""

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass

from skywalking_provider.model import Window
from skywalking_provider.queries.series import Bucket, Series, format_number

WIDTH = 400.0
HEIGHT = 96.0
LABEL_HEIGHT = 20.0  # above the bars, for their numbers
_CHARACTER = 6.4  # the width of a digit over a bar
_TICKS = 6
_COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_SIGNS = {">=": "≥", "<=": "≤", ">": ">", "<": "<"}
_THRESHOLD_PATTERN = re.compile(
    r"(?:all\(.*\{\s*)?(?:result|asFloat\((?:result|\.value)\)|\.value)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)(?:\s*\}\))?"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bucket; the slot is its whole width, the bar what its value takes of it.

    Attributes:
        kind: value, zero, absent, or odd where OAP wrote no number.
        violates: Whether it is not as wanted.
    """

    kind: str
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
    """One series, ready to be drawn in WIDTH x HEIGHT.

    Attributes:
        name: Of the series.
        bars: Its buckets; none where the values are no minutes.
        values: What is shown instead.
        ticks: Times under the bars: where, and what.
        limit: Where the wanted value lies, and its text; None where the condition does not say it plainly.
        summary: For those who do not see the chart.
    """

    name: str
    bars: tuple[Bar, ...]
    values: str
    ticks: tuple[tuple[float, str], ...]
    limit: tuple[float, str] | None
    summary: str

    @property
    def numbered(self) -> bool:
        """Whether there is room for a number over each bar."""
        return bool(self.bars) and max(len(bar.label) for bar in self.bars) * _CHARACTER <= WIDTH / len(self.bars)


def build_chart(series: Series, window: Window | None, condition: str = "") -> Chart:
    """Lay out one series.

    Args:
        series: What was read.
        window: When; without it, or with values that are not its buckets, there are no bars.
        condition: The successCondition, where it speaks of this series.
    """
    if window is None or len(series.buckets) != window.buckets or window.buckets < 2:
        values = " ".join(map(_format_bucket, series.buckets)) or "no value"
        return Chart(series.name, (), values[:400], (), None, f"{series.name}: {values[:200]}")
    wanted = _parse_threshold(condition)
    highest = max([bucket for bucket in series.buckets if isinstance(bucket, int | float)], default=0.0)
    top = max(highest, wanted.value if wanted else 0.0) or 1.0
    bars = tuple(_build_bars(series, window, top, wanted))
    limit = None
    if wanted and wanted.value >= 0:
        limit = (_scale_y(wanted.value, top), f"{_SIGNS[wanted.sign]} {format_number(wanted.value)}")
    return Chart(series.name, bars, "", tuple(_build_ticks(bars)), limit, _summarize(series))


@dataclass(frozen=True, slots=True)
class _Threshold:
    sign: str
    value: float

    def met_by(self, number: float) -> bool:
        return bool(_COMPARISONS[self.sign](number, self.value))


def _parse_threshold(condition: str) -> _Threshold | None:
    """What a plain comparison asks for: `result >= 0.99`, or the talk's `all(…, {asFloat(.value) >= 9900})`."""
    found = _THRESHOLD_PATTERN.fullmatch(" ".join(condition.split()))
    return _Threshold(found[1], float(found[2])) if found else None


def _build_bars(series: Series, window: Window, top: float, threshold: _Threshold | None) -> Iterator[Bar]:
    slot = WIDTH / len(series.buckets)
    width = min(slot * 0.72, 44.0)
    for at, bucket in enumerate(series.buckets):
        time = (window.start + at * window.step).strftime("%H:%M")
        x = slot * at + (slot - width) / 2
        y = _scale_y(bucket, top) if isinstance(bucket, int | float) else LABEL_HEIGHT
        misses = threshold is not None and isinstance(bucket, int | float) and not threshold.met_by(bucket)
        yield Bar(
            _bar_kind(bucket),
            misses,
            slot * at,
            _round(x),
            _round(y),
            _round(width),
            _round(HEIGHT - y),
            _format_bucket(bucket),
            time,
        )


def _bar_kind(bucket: Bucket) -> str:
    match bucket:
        case None:
            return "absent"
        case str():
            return "odd"
        case 0:
            return "zero"
    return "value"


def _scale_y(value: float, top: float) -> float:
    return _round(HEIGHT - (HEIGHT - LABEL_HEIGHT) * min(1.0, max(0.0, value / top)))


def _build_ticks(bars: tuple[Bar, ...]) -> Iterator[tuple[float, str]]:
    step = max(1, -(-len(bars) // _TICKS))
    for bar in bars[::step]:
        yield _round(bar.x + bar.width / 2), bar.time


def _summarize(series: Series) -> str:
    numbers = [bucket for bucket in series.buckets if isinstance(bucket, int | float)]
    absent = len(series.buckets) - len(series.present)
    span = f"{format_number(min(numbers))} to {format_number(max(numbers))}" if numbers else "no value"
    return f"{series.name}: {span} in {len(series.buckets)} minutes, {absent} absent"


def _format_bucket(bucket: Bucket) -> str:
    if bucket is None:
        return "–"
    return bucket[:12] if isinstance(bucket, str) else format_number(bucket)


def _round(number: float) -> float:
    return round(number, 2)
