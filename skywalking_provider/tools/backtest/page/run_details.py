"""Runs that would have aborted, minute by minute: values, limits and the window of the verdict."""

from collections.abc import Sequence
from datetime import timedelta, tzinfo
from typing import Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure

from skywalking_provider.model import Phase
from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.outcome import MetricOutcome, RunOutcome
from skywalking_provider.tools.backtest.page.canvas import PHASE_COLOURS
from skywalking_provider.tools.backtest.page.chart_values import build_judged_lines
from skywalking_provider.tools.backtest.page.timeline import draw_lines, draw_measured_values, number
from skywalking_provider.tools.backtest.study import MetricStudy
from skywalking_provider.tools.phases import PHASE_STYLES

MAX_RUNS: Final = 6


def draw_aborted_runs(backtest: Backtest, study: MetricStudy, outcomes: Sequence[MetricOutcome]) -> Figure | None:
    """Draw the first runs that this metric aborts; None without any."""
    positions = [at for at, one in enumerate(outcomes) if one.has_data and one.phase in (Phase.FAILED, Phase.ERROR)]
    shown = positions[:MAX_RUNS]
    if not shown:
        return None
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(11, 2.9 * rows))
    cells = figure.subplots(rows, columns, squeeze=False)
    for cell, at in zip(cells.flat, shown, strict=False):
        _draw_run(cell, study, at, backtest.runs[at], outcomes[at], backtest.history.zone)
    for cell in cells.flat[len(shown) :]:
        cell.set_visible(False)
    figure.legend(*cells[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=6, fontsize=9)
    return figure


def _draw_run(
    axes: Axes, study: MetricStudy, at: int, run: RunOutcome, outcome: MetricOutcome, zone: tzinfo | None
) -> None:
    minutes = study.minutes[at]
    if minutes is not None:
        lines = build_judged_lines(minutes)
        draw_lines(
            axes,
            {name: dict(getattr(lines, name)) for name in ("canary", "stable", "tolerated", "harmful")},
        )
    else:
        draw_measured_values(axes, study, (*outcome.looks, *outcome.later_looks))
    colour = PHASE_COLOURS[outcome.phase]
    window = outcome.looks[-1].window if outcome.looks else None
    if window:
        axes.axvspan(number(window[0]), number(window[1]), color=colour, alpha=0.08, label="window of the verdict")
    axes.axvline(number(outcome.ended_at), color=colour, linewidth=1.2)
    after = (outcome.ended_at - run.start) // timedelta(minutes=1)
    icon = PHASE_STYLES[outcome.phase].icon
    axes.set_title(f"{icon} {run.start.astimezone(zone):%a %m-%d %H:%M}, after {format_count(after, 'minute')}")
    axes.set_xlim(number(run.start), number(run.end))
    axes.xaxis.set_major_locator(AutoDateLocator(tz=zone, maxticks=8))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=zone))  # type: ignore[no-untyped-call]
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(visible=True, axis="y")
