"""Calendar of the runs that would have aborted: hours beside days."""

from typing import Final

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from skywalking_provider.model import Phase
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.page.canvas import NO_DATA, PHASE_COLOURS
from skywalking_provider.tools.backtest.page.chart_values import HourCell, count_by_hour

_HOURS: Final = 24


def draw_calendar(backtest: Backtest) -> Figure:
    """Draw the aborts by the day and the hour at which the runs began."""
    days = count_by_hour(backtest.runs, backtest.history.zone)
    figure = Figure(figsize=(11, 0.9 + 0.34 * len(days)))
    axes = figure.subplots()
    for row, hours in enumerate(days.values()):
        for hour, cell in hours.items():
            colour, alpha = _choose_colour(cell)
            axes.add_patch(Rectangle((hour + 0.04, row + 0.06), 0.92, 0.88, facecolor=colour, alpha=alpha))
            if cell.aborts:
                dark = cell.aborts / cell.runs > 0.5
                axes.text(
                    hour + 0.5,
                    row + 0.5,
                    f"{cell.aborts}/{cell.runs}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if dark else "black",
                )
    axes.set_xlim(0, _HOURS)
    axes.set_ylim(len(days), 0)
    axes.set_xticks([hour + 0.5 for hour in range(_HOURS)], [f"{hour:02}" for hour in range(_HOURS)])
    axes.set_yticks([row + 0.5 for row in range(len(days))], [f"{day:%a %m-%d}" for day in days])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    axes.set_xlabel("hour of the run's start")
    return figure


def _choose_colour(cell: HourCell) -> tuple[str, float]:
    if not cell.runs:
        return NO_DATA, 0.5
    if not cell.aborts:
        return PHASE_COLOURS[Phase.SUCCESSFUL], 0.2
    return PHASE_COLOURS[Phase.FAILED], 0.25 + 0.75 * cell.aborts / cell.runs
