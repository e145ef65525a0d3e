"""Geometry of the charts of a judgement: both sides with the tolerated limit, and the evidence on a logarithmic axis.

No I/O.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import log10

from skywalking_provider.analysis.judgement_message import format_evidence
from skywalking_provider.analysis.judgement_view import JudgementView, MinuteView
from skywalking_provider.queries.series import format_number

WIDTH, HEIGHT, TOP = 400.0, 130.0, 8.0
_LOWEST_EVIDENCE = 0.01
_MAX_TIME_LABELS = 6
_MIN_RATE_SPAN = 0.005
_MARGIN = 0.08  # of the span, above and below the lines


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart.

    Attributes:
        name: Name, which is also the name of its style.
        path: Path of SVG with a gap at each minute without a value.
        dots: Positions of values without a neighbour, which have no line.
        label: Name for the legend.
    """

    name: str
    path: str
    dots: tuple[tuple[float, float], ...]
    label: str


@dataclass(frozen=True, slots=True)
class Guide:
    """One horizontal line.

    Attributes:
        name: Name of its style.
        y: Position.
        label: Text at its left end.
    """

    name: str
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Slot:
    """Space of one minute, with the text that is shown for it."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """Layout of lines over minutes in an area of WIDTH x HEIGHT.

    Attributes:
        title: Title.
        lines: Lines, the first at the bottom.
        guides: Horizontal lines with their labels.
        slots: Space of each minute.
        time_labels: Position and text of the times below the lines.
        summary: Text alternative, for screen readers.
    """

    title: str
    lines: tuple[Line, ...]
    guides: tuple[Guide, ...]
    slots: tuple[Slot, ...]
    time_labels: tuple[tuple[float, str], ...]
    summary: str


def build_value_chart(view: JudgementView) -> LineChart:
    """Build the chart of both sides by minute, with the tolerated limit of each minute."""
    minutes = view.minutes
    limit = "tolerated" if view.compares else "objective"
    columns = [("tolerated", limit, [one.tolerated for one in minutes])]
    if view.compares:
        columns.append(("stable", "stable", [one.stable for one in minutes]))
    columns.append(("canary", "canary", [one.canary for one in minutes]))
    numbers = [value for _, _, values in columns for value in values if value is not None]
    low, high = _select_range(view, numbers)

    def scale(value: float) -> float:
        return _round(HEIGHT - (HEIGHT - TOP) * (value - low) / (high - low))

    lines = tuple(_build_line(name, label, values, scale) for name, label, values in columns)
    ends = (min(numbers), max(numbers)) if numbers else ()
    guides = tuple(Guide("grid", scale(one), _format_value(view, one)) for one in dict.fromkeys(ends))
    slots = tuple(_build_slots(minutes, [_describe_values(view, one) for one in minutes]))
    last = next((one for one in reversed(minutes) if one.canary is not None), None)
    summary = f"{view.label} by minute; last: {_describe_values(view, last)}" if last else f"{view.label}: no value"
    return LineChart(f"{view.label} by minute", lines, guides, slots, _build_time_labels(minutes), summary)


def build_evidence_chart(view: JudgementView) -> LineChart:
    """Build the chart of the evidence over time, with the evidence that is needed for both findings."""
    minutes = view.minutes
    columns = [
        ("fine", "fine", [one.fine for one in minutes]),
        ("worse", "worse", [one.worse for one in minutes]),
    ]
    highest = max([view.needed_worse, *(one.worse or 0.0 for one in minutes), *(one.fine or 0.0 for one in minutes)])
    low, high = log10(_LOWEST_EVIDENCE), log10(highest) + 0.3

    def scale(value: float) -> float:
        return _round(HEIGHT - (HEIGHT - TOP) * (log10(max(value, _LOWEST_EVIDENCE)) - low) / (high - low))

    lines = tuple(_build_line(name, label, values, scale) for name, label, values in columns)
    guides = (
        Guide("worse", scale(view.needed_worse), f"worse from {format_evidence(view.needed_worse)}"),
        Guide("fine", scale(view.needed_fine), f"fine from {format_evidence(view.needed_fine)}"),
    )
    slots = tuple(_build_slots(minutes, [_describe_evidence(one) for one in minutes]))
    last = next((one for one in reversed(minutes) if one.worse is not None), None)
    summary = f"Evidence; last: {_describe_evidence(last)}" if last else "Evidence: no minute counts"
    return LineChart("Evidence", lines, guides, slots, _build_time_labels(minutes), summary)


def _select_range(view: JudgementView, numbers: Sequence[float]) -> tuple[float, float]:
    if not numbers:
        return 0.0, 1.0
    low, high = (0.0 if view.latency else min(numbers)), max(numbers)
    span = max(high - low, 1.0 if view.latency else _MIN_RATE_SPAN)
    return low - _MARGIN * span, low + (1 + _MARGIN) * span


def _build_line(name: str, label: str, values: Sequence[float | None], scale: Callable[[float], float]) -> Line:
    heights = [None if value is None else scale(value) for value in values]
    width, path, dots = WIDTH / max(1, len(values)), list[str](), list[tuple[float, float]]()
    for at, y in enumerate(heights):
        if y is None:
            continue
        x = _round(width * (at + 0.5))
        before = at > 0 and heights[at - 1] is not None
        after = at + 1 < len(heights) and heights[at + 1] is not None
        path.append(f"{'L' if before else 'M'}{x} {y}")
        if not before and not after:
            dots.append((x, y))
    return Line(name, "".join(path), tuple(dots), label)


def _build_slots(minutes: Sequence[MinuteView], texts: Sequence[str]) -> Iterator[Slot]:
    width = WIDTH / max(1, len(minutes))
    for at, (minute, text) in enumerate(zip(minutes, texts, strict=True)):
        yield Slot(_round(width * at), _round(width), f"{minute.start:%H:%M} · {text}")


def _build_time_labels(minutes: Sequence[MinuteView]) -> tuple[tuple[float, str], ...]:
    step, width = max(1, -(-len(minutes) // _MAX_TIME_LABELS)), WIDTH / max(1, len(minutes))
    return tuple((_round(width * (at + 0.5)), f"{minutes[at].start:%H:%M}") for at in range(0, len(minutes), step))


def _describe_values(view: JudgementView, minute: MinuteView) -> str:
    parts = [_describe_side(view, "canary", minute.canary, minute.canary_calls)]
    if view.compares:
        parts.append(_describe_side(view, "stable", minute.stable, minute.stable_calls))
    if minute.tolerated is not None:
        parts.append(f"{'tolerated' if view.compares else 'objective'} {_format_value(view, minute.tolerated)}")
    return " · ".join(parts)


def _describe_side(view: JudgementView, name: str, value: float | None, calls: int) -> str:
    return f"{name} no calls" if value is None else f"{name} {_format_value(view, value)} of {calls} calls"


def _describe_evidence(minute: MinuteView) -> str:
    if minute.worse is None or minute.fine is None:
        return "does not count"
    return f"worse {format_evidence(minute.worse)} · fine {format_evidence(minute.fine)}"


def _format_value(view: JudgementView, value: float) -> str:
    return f"{value:.4g} ms" if view.latency else format_number(round(value, 4))


def _round(number: float) -> float:
    return round(number, 2)
