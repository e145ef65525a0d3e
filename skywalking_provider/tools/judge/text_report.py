"""Tables for a terminal: the evidence after each minute with a plot, and the findings of test vectors."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from skywalking_provider.judgement import Finding
from skywalking_provider.support.printable import printable_line
from skywalking_provider.tools.evidence import FINDING_STYLES, draw_bar
from skywalking_provider.tools.judge.judging import Judgement
from skywalking_provider.tools.judge.options import JudgeSli
from skywalking_provider.tools.judge.verdict_text import (
    FINDING_TEXTS,
    describe_standard,
    describe_verdict,
    format_evidence,
    format_side,
)

_MIN_BAR, _MAX_BAR, _GAP = 4, 20, 2
_LEFT_OUT = "left out"


def build_report(
    judgement: Judgement, sli: JudgeSli, labels: Sequence[str], width: int, *, wrap: bool
) -> Iterator[RenderableType]:
    """Yield what is printed about a file, from top to bottom.

    Args:
        judgement: Judgement of its minutes.
        sli: Indicator.
        labels: Names of the minutes.
        width: Columns of the terminal.
        wrap: Whether long lines are wrapped. Elsewhere they stay whole, for grep.
    """
    for line in describe_standard(judgement.case, sli):
        yield Text(line, style="dim")
    yield Text()
    if labels:
        yield _build_minutes(judgement, labels, width)
        yield Text()
    finding = judgement.finding
    name, _, meaning = FINDING_TEXTS[finding].partition(":")
    style = FINDING_STYLES[finding]
    yield Text().append(f"{style.icon} {name}", style=f"bold {style.colour}").append(f":{meaning}")
    for line in describe_verdict(judgement, sli, labels):
        yield Padding(Text(line), (0, 0, 0, 2), expand=False) if wrap else Text(f"  {line}")


def build_case_table(cases: Sequence[tuple[int, str, Judgement]]) -> Table:
    """Return the findings of test vectors.

    Args:
        cases: Number of the line, name and judgement of each case.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("line", justify="right")
    table.add_column("name", overflow="fold", max_width=50)
    table.add_column("kind")
    table.add_column("minutes", justify="right")
    table.add_column("worse", justify="right")
    table.add_column("fine", justify="right")
    table.add_column("verdict")
    for line, name, judgement in cases:
        table.add_row(
            str(line),
            Text(printable_line(name)),
            judgement.case.kind,
            f"{judgement.counted} of {len(judgement.looks)}",
            format_evidence(judgement.evidence.worse),
            format_evidence(judgement.evidence.fine),
            _format_finding(judgement.finding),
        )
    return table


def _build_minutes(judgement: Judgement, labels: Sequence[str], width: int) -> Table:
    case, confidence = judgement.case, judgement.case.confidence
    sides = [
        (format_side(case, minute.canary), *([format_side(case, minute.stable)] if case.kind.has_stable else ()))
        for minute in case.minutes
    ]
    names = ("canary", "stable") if case.kind.has_stable else ("canary",)
    text_width = sum(
        max(cell_len(one) for one in column) + _GAP
        for column in (("minute", *labels), *zip(names, *sides, strict=False), ("0.00123",), ("0.00123",))
    )
    bar = min(_MAX_BAR, max(_MIN_BAR, (width - text_width - len(_LEFT_OUT)) // 2 - _GAP))
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    table.add_column("minute", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for name in (Finding.WORSE, Finding.FINE):
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True, width=bar)
    table.add_column("finding", no_wrap=True)
    for label, cells, look in zip(labels, sides, judgement.looks, strict=True):
        if not look.counts:
            table.add_row(Text(label), *map(Text, cells), "", "", "", "", Text(_LEFT_OUT), style="dim")
            continue
        worse, fine = look.evidence.worse, look.evidence.fine
        table.add_row(
            Text(label),
            *map(Text, cells),
            format_evidence(worse),
            Text(draw_bar(worse, confidence.worse_evidence, bar), style=FINDING_STYLES[Finding.WORSE].colour),
            format_evidence(fine),
            Text(draw_bar(fine, confidence.fine_evidence, bar), style=FINDING_STYLES[Finding.FINE].colour),
            _format_finding(look.finding),
        )
    return table


def _format_finding(finding: Finding) -> Text:
    return Text(finding, style=FINDING_STYLES[finding].colour)
