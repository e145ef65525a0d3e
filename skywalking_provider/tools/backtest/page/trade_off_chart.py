"""Trade-off of a setting: aborts and found faults by margin or threshold, and the time until the abort."""

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from skywalking_provider.tools.backtest.page.canvas import LIMIT
from skywalking_provider.tools.backtest.trade_off import TradeOff, TradeOffLine

_COLOURS: Final = (LIMIT, "#9ec6e8", "#4f95cf", "#174f86")
_MARKERS: Final = ("o", "v", "s", "^")


def draw_trade_off(trade_off: TradeOff) -> Figure:
    """Draw a trade-off; the time until the abort only with faults."""
    with_faults = len(trade_off.lines) > 1
    figure = Figure(figsize=(11, 3.6))
    cells = figure.subplots(1, 2 if with_faults else 1, squeeze=False)[0]
    for at, line in enumerate(trade_off.lines):
        _draw_rates(cells[0], trade_off, line, at)
        if with_faults:
            known = [(x, y) for x, y in zip(trade_off.values, line.minutes, strict=True) if y is not None]
            cells[1].plot([x for x, _ in known], [y for _, y in known], **_style(at))
    cells[0].yaxis.set_major_formatter(PercentFormatter(1))
    cells[0].set_ylim(-0.03, 1.03)
    cells[0].set_ylabel("runs that abort")
    for cell in cells:
        _draw_setting(cell, trade_off)
    if with_faults:
        cells[1].set_ylabel("minutes until the abort (median)")
        cells[1].set_ylim(bottom=0)
    figure.legend(*cells[0].get_legend_handles_labels(), loc="outside upper right", ncols=6, fontsize=9)
    return figure


def _draw_rates(axes: Axes, trade_off: TradeOff, line: TradeOffLine, at: int) -> None:
    shares = [rate.share or 0.0 for rate in line.rates]
    style = _style(at) if trade_off.value_labels else {"color": _COLOURS[at]}
    axes.plot(trade_off.values, shares, **style, label=line.label)
    intervals = [rate.interval or (0.0, 1.0) for rate in line.rates]
    if at == 0:
        lows, highs = [low for low, _ in intervals], [high for _, high in intervals]
        axes.fill_between(trade_off.values, lows, highs, color=_COLOURS[at], alpha=0.12, label="its 95 % interval")


def _style(at: int) -> dict[str, Any]:
    """Return the style of a line. The recorded runs are above the others, and their markers are smaller."""
    return {"color": _COLOURS[at], "marker": _MARKERS[at], "markersize": 6 if at else 4, "zorder": 4 if at == 0 else 3}


def _draw_setting(axes: Axes, trade_off: TradeOff) -> None:
    axes.axvline(trade_off.current, color="#555555", linewidth=1, linestyle="--", label="template")
    axes.set_xlabel(trade_off.setting)
    axes.grid(visible=True, axis="y")
    if trade_off.value_labels:
        axes.set_xscale("log")
        axes.set_xticks(trade_off.values, trade_off.value_labels, fontsize=7)
        axes.minorticks_off()
