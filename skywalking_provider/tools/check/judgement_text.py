"""Judgement in text: the finding in plain words, the evidence over the minutes, and both sides by minute. No I/O."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.cells import cell_len
from rich.text import Text

from skywalking_provider.analysis.judgement_message import format_evidence
from skywalking_provider.analysis.judgement_view import JudgementView, MinuteView
from skywalking_provider.judgement import Finding
from skywalking_provider.queries.series import format_number
from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.evidence import FINDING_STYLES, draw_bar, measure_evidence

_LEVELS = "▁▂▃▄▅▆▇█"
_NOT_COUNTED = "·"
_MAX_MINUTES = 10  # rows of the table; all with -o wide
_MAX_BAR, _MIN_BAR, _GAP = 12, 4, 2
_LOWEST, _HIGHEST = 0.001, 1e9  # of the table's evidence; beyond, digits mean nothing
_EVIDENCE = (Finding.WORSE, Finding.FINE)


def format_assumed_start(started_at: datetime, ago: timedelta) -> Text:
    """Return the assumption about the start of the run."""
    minutes = format_count(ago // timedelta(minutes=1), "minute")
    text = Text(f"assumed to have begun {minutes} ago, at {started_at:%H:%M:%S %z}")
    return text.append("  a real run is judged from its own start", style="dim")


def format_finding(view: JudgementView) -> Text:
    """Return the finding in plain words."""
    style = FINDING_STYLES[view.finding]
    text = Text().append(f"{style.icon} {view.finding}", style=f"bold {style.colour}")
    return text.append(f"  {view.explanation}")


def draw_evidence(view: JudgementView, width: int) -> list[Text]:
    """Return a line for each finding: one character for each minute, and the evidence with what is needed.

    The scale is logarithmic. A bar is empty at 1 and below, and full where the evidence is enough.
    """
    lines: list[Text] = []
    for finding, needed in zip(_EVIDENCE, (view.needed_worse, view.needed_fine), strict=True):
        values = [_read_evidence(one, finding) for one in view.minutes]
        last = next((one for one in reversed(values) if one is not None), 1.0)
        name = f"{finding.ljust(5)}  "
        bars = "".join(_draw_level(one, needed) for one in values)
        summary = f"{format_evidence(last)}, needed {format_evidence(needed)}"
        columns = max(20, width - len(name))
        parts = [bars[start : start + columns] for start in range(0, len(bars), columns)]
        for at, part in enumerate(parts):
            left = name if at == 0 else " " * len(name)
            lines.append(Text(left).append(part, style=FINDING_STYLES[finding].colour))
        if parts and len(name) + len(parts[-1]) + len(summary) + _GAP <= width:
            lines[-1].append(f"  {summary}")
        else:
            lines.append(Text(" " * len(name) + summary))
    return lines


def draw_minutes(view: JudgementView, width: int, *, wide: bool) -> list[Text]:
    """Return a table of the last minutes: both sides, the tolerated limit and the evidence after each minute.

    Args:
        view: View of the judgement.
        width: Columns for the lines.
        wide: Whether to include all minutes.
    """
    minutes = view.minutes if wide else view.minutes[-_MAX_MINUTES:]
    names = ["minute", "canary", *(["stable", "tolerated"] if view.compares else ["objective"]), *_EVIDENCE]
    rows = [names, *(_format_cells(view, one, calls=True) for one in minutes)]
    if _measure_columns(rows, width)[1] < 0:
        rows = [names, *(_format_cells(view, one, calls=False) for one in minutes)]
    sizes, free = _measure_columns(rows, width)
    bar = min(_MAX_BAR, free // len(_EVIDENCE) - 1)  # after a space
    lines = [_format_row(rows[0], sizes, ("", ""), bar)]
    lines[0].stylize("dim")
    for minute, row in zip(minutes, rows[1:], strict=True):
        lines.append(_format_row(row, sizes, _draw_bars(view, minute, bar), bar))
    left_out = len(view.minutes) - len(minutes)
    if left_out:
        lines.append(Text(f"… {format_count(left_out, 'earlier minute')}; -o wide shows all", style="dim"))
    return lines


def _measure_columns(rows: Sequence[Sequence[str]], width: int) -> tuple[list[int], int]:
    """Return the size of each column, and the columns of the terminal that are free; negative if rows do not fit."""
    sizes = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return sizes, width - sum(sizes) - _GAP * (len(sizes) - 1)


def _format_row(cells: Sequence[str], sizes: Sequence[int], bars: tuple[str, str], width: int) -> Text:
    """Return one row. The bars follow the evidence, if there is space for them."""
    text = Text(cells[0].ljust(sizes[0]))
    first = len(cells) - len(_EVIDENCE)
    for at in range(1, len(cells)):
        text.append(" " * _GAP + cells[at].rjust(sizes[at]))
        if at >= first and width >= _MIN_BAR:
            finding = _EVIDENCE[at - first]
            text.append(f" {bars[at - first].ljust(width)}", style=FINDING_STYLES[finding].colour)
    text.rstrip()
    return text


def _format_cells(view: JudgementView, minute: MinuteView, *, calls: bool) -> list[str]:
    cells = [f"{minute.start:%H:%M}", _format_side(view, minute.canary, minute.canary_calls if calls else 0)]
    if view.compares:
        cells.append(_format_side(view, minute.stable, minute.stable_calls if calls else 0))
    cells.append("–" if minute.tolerated is None else _format_value(view, minute.tolerated))
    evidence = [_read_evidence(minute, finding) for finding in _EVIDENCE]
    return cells + [_format_short(one) for one in evidence]


def _format_short(evidence: float | None) -> str:
    """Return evidence without digits that mean nothing, so that narrow terminals have space for it."""
    if evidence is None:
        return "–"
    if evidence < _LOWEST:
        return f"<{_LOWEST}"
    return ">10^9" if evidence >= _HIGHEST else format_evidence(evidence)


def _draw_bars(view: JudgementView, minute: MinuteView, width: int) -> tuple[str, str]:
    if minute.worse is None or minute.fine is None or width < _MIN_BAR:
        return "", ""
    return draw_bar(minute.worse, view.needed_worse, width), draw_bar(minute.fine, view.needed_fine, width)


def _draw_level(evidence: float | None, needed: float) -> str:
    """Return a character whose height is the evidence. The full height means that it is enough."""
    if evidence is None:
        return _NOT_COUNTED
    return _LEVELS[int(measure_evidence(evidence, needed) * (len(_LEVELS) - 1))]


def _read_evidence(minute: MinuteView, finding: Finding) -> float | None:
    return minute.worse if finding is Finding.WORSE else minute.fine


def _format_side(view: JudgementView, value: float | None, calls: int) -> str:
    if value is None:
        return "no calls"
    return f"{_format_value(view, value)} of {calls}" if calls else _format_value(view, value)


def _format_value(view: JudgementView, value: float) -> str:
    return f"{value:.4g} ms" if view.latency else format_number(round(value, 4))
