"""Chart of buckets in text: a cell for each minute if they fit, else one character for each minute. No I/O."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.text import Text

from skywalking_provider.model import Window
from skywalking_provider.queries.series import Bucket, format_number
from skywalking_provider.tools.check.chart_rows import ChartRow

_BARS = "▁▂▃▄▅▆▇█"
_ABSENT = "·"
_MAX_NAME = 44
_MAX_CELLS = 12  # minutes; in longer windows a line shows more than numbers
_BAR, _GAP = "cyan", "dim"


def draw_chart(rows: Sequence[ChartRow], window: Window, width: int) -> list[Text]:
    """Return the lines of all rows, grouped by entity.

    Bars go from 0 to the highest value of their row. An absent minute has no bar.
    """
    lines: list[Text] = []
    for entity, group in groupby(rows, key=lambda row: row.entity):
        if entity:
            lines.append(Text(entity, style="bold"))
        lines += _group(list(group), window, width)
    return lines


def _group(rows: Sequence[ChartRow], window: Window, width: int) -> Iterator[Text]:
    """Yield the rows of one entity. Rows of cells share the line with their times."""
    name_width = min(_MAX_NAME, max(cell_len(row.name) for row in rows)) + 2
    in_cells = [row for row in rows if row.times and window.buckets <= _MAX_CELLS]
    yield from _bands(in_cells, name_width, width)
    for row in rows:
        name = _pad_name(row, name_width)
        if row.times and row not in in_cells:
            yield from _line(name, row, width - name_width)
        elif not row.times:
            yield from _values(name, row)


def _bands(rows: Sequence[ChartRow], name_width: int, width: int) -> Iterator[Text]:
    """Yield a cell for each minute, in as many bands as the width requires."""
    if not rows:
        return
    size = max(5, *(3 + cell_len(_number(one)) for row in rows for one in row.buckets)) + 2
    cells = max(1, (width - name_width) // size)
    total = len(rows[0].times)
    each = -(-total // -(-total // cells))  # as few bands as possible, of equal length
    for start in range(0, total, each):
        times = "".join(f"{time:%H:%M}".rjust(size) for time in rows[0].times[start : start + each])
        yield Text(" " * name_width + times, style="dim")
        for row in rows:
            bars = _bars(row.buckets)  # of the whole row: bands are compared too
            pairs = zip(row.buckets[start : start + each], bars[start : start + each], strict=True)
            yield _pad_name(row, name_width) + Text("").join(_cell(bucket, bar, size) for bucket, bar in pairs)


def _cell(bucket: Bucket, bar: str, size: int) -> Text:
    number = _number(bucket)
    text = Text(" " * (size - 3 - cell_len(number))).append(bar * 2, style=_GAP if bucket is None else _BAR)
    return text.append(f" {number}", style=_GAP if bucket is None else "")


def _line(name: Text, row: ChartRow, width: int) -> Iterator[Text]:
    """Yield one character for each minute in as many lines as the width requires, and the range of the numbers."""
    summary = _summary(row.buckets)
    columns = max(20, width - 14)
    bars = _bars(row.buckets)
    left = len(name)
    for start in range(0, len(bars), columns):
        part = bars[start : start + columns]
        text = name.copy() if start == 0 else Text(" " * left)
        text.append(f"{row.times[start]:%H:%M} ", style="dim")
        for bar, same in groupby(part):
            text.append(bar * len(list(same)), style=_GAP if bar == _ABSENT else _BAR)
        text.append(f" {row.times[start + len(part) - 1]:%H:%M}", style="dim")
        if start + columns >= len(bars) and len(text) + len(summary) + 2 <= left + width:
            text.append(f"  {summary}", style="dim")
            summary = ""
        yield text
    if summary:
        yield Text(" " * left).append(summary, style="dim")


def _values(name: Text, row: ChartRow) -> Iterator[Text]:
    """Yield a row without minutes: a single number, or a ranking with names."""
    if not row.ids:
        yield name + Text(" ".join(_number(bucket) for bucket in row.buckets) or "no value")
        return
    size = max(cell_len(one) for one in row.ids) + 2
    for at, (label, bucket, bar) in enumerate(zip(row.ids, row.buckets, _bars(row.buckets), strict=True)):
        text = name.copy() if at == 0 else Text(" " * len(name))
        yield text.append(label.ljust(size)).append(bar * 2, style=_BAR).append(f" {_number(bucket)}")


def _bars(buckets: Sequence[Bucket]) -> str:
    highest = max(_numbers(buckets), default=0)
    return "".join(_bar(bucket, highest) for bucket in buckets)


def _bar(bucket: Bucket, highest: float) -> str:
    if bucket is None or isinstance(bucket, str):
        return _ABSENT if bucket is None else "?"
    if highest <= 0 or bucket <= 0:
        return _BARS[0]
    return _BARS[round(bucket / highest * (len(_BARS) - 1))]


def _summary(buckets: Sequence[Bucket]) -> str:
    numbers = list(_numbers(buckets))
    absent = sum(bucket is None for bucket in buckets)
    ends = list(dict.fromkeys(format_number(one) for one in (min(numbers), max(numbers)))) if numbers else ["no value"]
    return f"{'..'.join(ends)}, {absent} of {len(buckets)} absent" if absent else "..".join(ends)


def _numbers(buckets: Iterable[Bucket]) -> Iterator[float]:
    return (bucket for bucket in buckets if isinstance(bucket, int | float))


def _number(bucket: Bucket) -> str:
    if bucket is None:
        return "–"
    return bucket if isinstance(bucket, str) else format_number(bucket)


def _pad_name(row: ChartRow, width: int) -> Text:
    name = row.name if len(row.name) <= _MAX_NAME else row.name[: _MAX_NAME - 1] + "…"
    return Text(name.ljust(width))
