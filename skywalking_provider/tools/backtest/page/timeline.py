"""Timeline of one metric: its values over the history with windows and limits, above the runs and their verdicts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from skywalking_provider.block import JudgedSpec
from skywalking_provider.model import Phase
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.outcome import Look, MetricOutcome
from skywalking_provider.tools.backtest.page.canvas import (
    CANARY,
    HARMFUL,
    LIMIT,
    NO_DATA,
    PHASE_COLOURS,
    STABLE,
    add_legend,
)
from skywalking_provider.tools.backtest.page.chart_values import (
    Point,
    build_judged_lines,
    place_in_lanes,
    split_points,
)
from skywalking_provider.tools.backtest.study import MetricStudy
from skywalking_provider.tools.phases import PHASE_STYLES

MAX_LANES: Final = 8
_MAX_WINDOWS: Final = 400
"""Windows that are drawn. Of more, only the values are."""
_MAX_ICONS: Final = 60


_Bars = dict[tuple[int, str], list[tuple[float, float]]]
"""Starts and lengths of bars by lane and colour."""


def draw_timeline(backtest: Backtest, study: MetricStudy, outcomes: Sequence[MetricOutcome]) -> Figure:
    """Draw the timeline of a metric.

    Args:
        backtest: The runs.
        study: The metric.
        outcomes: Its outcomes in all runs.
    """
    placed = place_in_lanes(backtest.runs, MAX_LANES)
    lanes = 1 + max((lane for _, lane in placed), default=0)
    strip_height = 0.32 + 0.22 * lanes
    figure = Figure(figsize=(11, 3.4 + strip_height))
    values, strip = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, strip_height])
    if study.spec.judged:
        draw_judged_values(values, study, [at for at, _ in placed])
    else:
        draw_measured_values(values, study, [look for one in outcomes for look in (*one.looks, *one.later_looks)])
    for outcome in outcomes:
        if outcome.phase in (Phase.FAILED, Phase.ERROR) and outcome.has_data:
            values.axvline(number(outcome.ended_at), color=PHASE_COLOURS[outcome.phase], linewidth=1, alpha=0.5)
    _draw_runs(strip, backtest, outcomes, placed, lanes)
    _format_times(strip, backtest)
    add_legend(values)
    values.grid(visible=True, axis="y")
    return figure


def draw_judged_values(axes: Axes, study: MetricStudy, positions: Sequence[int]) -> None:
    """Draw the minutes of both sides with their limits, those of the first run for a minute of several runs."""
    lines: dict[str, dict[datetime, float]] = {name: {} for name in ("canary", "stable", "tolerated", "harmful")}
    for at in positions:
        if (minutes := study.minutes[at]) is not None:
            judged = build_judged_lines(minutes)
            for name, points in lines.items():
                _add_points(points, getattr(judged, name))
    draw_lines(axes, lines)
    spec = study.spec
    if isinstance(spec, JudgedSpec):
        axes.set_ylabel(f"{spec.sli}{' (ms)' if spec.judges_latency else ''}")


def draw_lines(axes: Axes, lines: Mapping[str, Mapping[datetime, float]]) -> None:
    """Draw lines of values by time, each in the style of its name."""
    styles: dict[str, dict[str, Any]] = {
        "canary": {"color": CANARY, "marker": ".", "markersize": 4, "linewidth": 1.2},
        "stable": {"color": STABLE, "linewidth": 1},
        "tolerated": {"color": LIMIT, "linewidth": 1, "linestyle": "--", "label": "tolerated limit"},
        "harmful": {"color": HARMFUL, "linewidth": 1, "linestyle": ":", "label": "harmful limit"},
    }
    for name, points in lines.items():
        if points:
            times, values = split_points(points.items())
            axes.plot(numbers(times), values, **{"label": name, **styles[name]})


def draw_measured_values(axes: Axes, study: MetricStudy, looks: Sequence[Look]) -> None:
    """Draw the values of measurements over their windows, with the threshold."""
    measured = [look for look in looks if look.value is not None]
    windowed = [look for look in measured if look.window is not None]
    if len(windowed) <= _MAX_WINDOWS:
        starts, ends = ([number(look.window[side]) for look in windowed if look.window] for side in (0, 1))
        axes.hlines([look.value or 0.0 for look in windowed], starts, ends, color=CANARY, alpha=0.3, label="window")
    times, values = split_points((look.at, look.value) for look in measured if look.value is not None)
    axes.plot(numbers(times), values, color=CANARY, marker=".", markersize=4, linewidth=1, label="measurement")
    failed = [look for look in measured if look.phase is Phase.FAILED]
    if failed:
        axes.plot(
            [number(look.at) for look in failed],
            [look.value or 0.0 for look in failed],
            color=PHASE_COLOURS[Phase.FAILED],
            marker="x",
            linestyle="",
            label="Failed",
        )
    if (threshold := study.threshold) is not None:
        fails = "fails if" if study.fails_if_met else "wanted"
        axes.axhline(
            threshold.value,
            color=LIMIT,
            linewidth=1,
            linestyle="--",
            label=f"{fails} {threshold.symbol} {threshold.value:g}",
        )
    axes.set_ylabel("result")


def number(time: datetime) -> float:
    """Return a time as matplotlib's number."""
    return float(date2num(time))  # type: ignore[no-untyped-call]


def numbers(times: Sequence[datetime]) -> list[float]:
    """Return times as matplotlib's numbers."""
    return [number(time) for time in times]


def _add_points(points: dict[datetime, float], more: Sequence[Point]) -> None:
    for time, value in more:
        points.setdefault(time, value)


def _draw_runs(
    axes: Axes,
    backtest: Backtest,
    outcomes: Sequence[MetricOutcome],
    placed: Sequence[tuple[int, int]],
    lanes: int,
) -> None:
    """Draw the runs as bars: full until the verdict, and pale until the planned end."""
    full: _Bars = defaultdict(list)
    planned: _Bars = defaultdict(list)
    for at, lane in placed:
        run, outcome = backtest.runs[at], outcomes[at]
        colour = PHASE_COLOURS[outcome.phase] if outcome.has_data else NO_DATA
        start = number(run.start)
        full[lane, colour].append((start, number(outcome.ended_at) - start))
        planned[lane, colour].append((start, number(run.end) - start))
        if len(placed) <= _MAX_ICONS:
            icon = PHASE_STYLES[outcome.phase].icon if outcome.has_data else "–"
            axes.text(start, lane + 0.5, f" {icon}", color="white", va="center", fontsize=8)
    edge = "white" if len(placed) <= _MAX_ICONS else "none"  # edges of many bars would hide them
    styles: list[tuple[_Bars, dict[str, Any]]] = [(planned, {"alpha": 0.25}), (full, {"edgecolor": edge})]
    for bars, style in styles:
        for (lane, colour), spans in bars.items():  # one call for many bars, since each takes milliseconds
            axes.broken_barh(spans, (lane + 0.1, 0.8), facecolor=colour, **style)
    phases = [one for one in PHASE_COLOURS if any(outcomes[at].phase is one for at, _ in placed)]
    handles = [Patch(color=PHASE_COLOURS[one], label=f"{PHASE_STYLES[one].icon} {one}") for one in phases]
    if any(not outcomes[at].has_data for at, _ in placed):
        handles.append(Patch(color=NO_DATA, label="no data"))
    axes.legend(handles=handles, loc="upper right", bbox_to_anchor=(1, -0.35 - 0.25 / lanes), ncols=5, fontsize=9)
    axes.set_ylim(lanes, 0)
    axes.set_yticks([])
    axes.set_ylabel("runs", rotation=0, ha="right", va="center")


def _format_times(axes: Axes, backtest: Backtest) -> None:
    history = backtest.history
    axes.set_xlim(number(history.start), number(history.end))
    locator = AutoDateLocator(tz=history.zone)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=history.zone, show_offset=False)  # type: ignore[no-untyped-call]
    formatter.formats[2] = formatter.zero_formats[3] = "%a %d"
    axes.xaxis.set_major_formatter(formatter)
