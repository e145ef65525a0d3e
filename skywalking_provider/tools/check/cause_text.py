"""Cause in text: endpoints as bars, the canary beside stable, then traces and error logs. No I/O."""

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from skywalking_provider.analysis.cause_view import BarsView, CauseView, EndpointView
from skywalking_provider.support.counts import format_count

_MAX_ENDPOINTS = 3  # all with -o wide
_BAR = 16
_GAP = 2
_MIN_NAME = 12
_BLOCK = "█"


def draw_cause(view: CauseView, width: int, *, wide: bool) -> list[Text]:
    """Return the endpoints of each title with a line for each side, and the traces and logs.

    Args:
        view: Explanation of the verdict.
        width: Columns for the lines.
        wide: Whether to show all endpoints, traces and logs. Otherwise there is one trace, and the number of logs.
    """
    lines = [line for bars in view.bars for line in _draw_bars(bars, width, wide=wide)]
    if view.traces:
        lines.append(Text(view.traces_title, style="dim"))
    for trace in view.traces if wide else view.traces[:1]:
        lines.append(_cut(f"{trace.trace_id}{' ' * _GAP}{trace.text}", width, wide=wide))
        if wide and trace.link:
            lines.append(Text(f"{' ' * _GAP}{trace.link}"))
    if view.logs_title:
        lines.append(Text(view.logs_title, style="dim"))
    if wide:
        lines += [Text(" · ".join(filter(None, (one.text, one.content)))) for one in view.logs]
    return lines


def _draw_bars(bars: BarsView, width: int, *, wide: bool) -> list[Text]:
    shown = bars.endpoints if wide else bars.endpoints[:_MAX_ENDPOINTS]
    numbers = max((cell_len(text) for one in shown for text in (one.canary_text, one.stable_text)), default=0)
    space = max(_MIN_NAME, width - _BAR - numbers - len("canary") - 3 * _GAP)
    column = min(space, max((cell_len(one.name) for one in shown), default=0))
    lines = [Text(f"{bars.title}{' ' * _GAP}{bars.note}".rstrip(), style="dim")]
    for one in shown:
        lines += _draw_endpoint(one, column)
    if more := len(bars.endpoints) - len(shown):
        lines.append(Text(f"and {format_count(more, 'more endpoint')}; -o wide shows all", style="dim"))
    return lines


def _cut(line: str, width: int, *, wide: bool) -> Text:
    return Text(line if wide or cell_len(line) <= width else f"{set_cell_size(line, width - 1)}…")


def _draw_endpoint(one: EndpointView, column: int) -> list[Text]:
    name = one.name if cell_len(one.name) <= column else f"{set_cell_size(one.name, column - 1)}…"
    beside = one.stable is not None
    lines = [_draw_side(name, column, "canary" if beside else "", one.canary, one.canary_text, "red")]
    if one.stable is not None:
        lines.append(_draw_side("", column, "stable", one.stable, one.stable_text, "bright_black"))
    return lines


def _draw_side(name: str, column: int, side: str, length: float, numbers: str, colour: str) -> Text:
    text = Text(name + " " * (column - cell_len(name) + _GAP))
    if side:
        text.append(f"{side}{' ' * _GAP}", style="dim")
    bar = _BLOCK * (max(1, round(_BAR * length)) if length else 0)
    return text.append(bar.ljust(_BAR + _GAP), style=colour).append(numbers)
