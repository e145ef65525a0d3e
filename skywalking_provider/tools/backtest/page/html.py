"""Page of backtests as one HTML file without other files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from html import escape
from typing import Final

from matplotlib.figure import Figure

from skywalking_provider.support.counts import format_count
from skywalking_provider.support.printable import printable_line
from skywalking_provider.tools.backtest.margin_study import MAX_RUNS, study_margin
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.outcome import (
    INTERVAL_CONFIDENCE,
    RunOutcome,
    Summary,
    summarize_metric,
    summarize_runs,
)
from skywalking_provider.tools.backtest.page.calendar import draw_calendar
from skywalking_provider.tools.backtest.page.canvas import PHASE_COLOURS, drawing, render_svg
from skywalking_provider.tools.backtest.page.run_details import draw_aborted_runs
from skywalking_provider.tools.backtest.page.timeline import draw_timeline
from skywalking_provider.tools.backtest.page.trade_off_chart import draw_trade_off
from skywalking_provider.tools.backtest.study import MetricStudy
from skywalking_provider.tools.backtest.text_report import build_title, format_rate
from skywalking_provider.tools.backtest.trade_off import study_threshold
from skywalking_provider.tools.phases import PHASE_STYLES

_MAX_ABORTS, _MAX_OPEN = 200, 10
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = """
:root { color-scheme: light; }
body {
  font: 15px/1.5 system-ui, sans-serif; color: #1c1e21; background: #fff;
  max-width: 1180px; margin: 1.5rem auto; padding: 0 1rem;
}
h1 { font-size: 1.4rem; margin: 2rem 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; }
p { margin: .3rem 0; }
.dim { color: #666; }
.note { color: #8a6200; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
td, th {
  border-bottom: 1px solid #ddd; padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top;
  white-space: nowrap;
}
.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: .5rem 0 1rem; }
figure svg { width: 100%; min-width: 720px; height: auto; display: block; }
svg text { font-family: system-ui, sans-serif !important; }
figcaption { color: #666; font-size: 13px; }
li { margin: .3rem 0; overflow-wrap: anywhere; }
"""
_PHASES: Final = tuple(PHASE_COLOURS)


def render_page(backtests: Sequence[Backtest], redact: Callable[[str], str] = str) -> str:
    """Return the page of backtests.

    Args:
        backtests: Backtests with the minutes of their metrics (`BacktestOptions.pictures`).
        redact: Function that removes credentials from texts.
    """
    with drawing():
        return "".join(_page(backtests, redact))


def _page(backtests: Sequence[Backtest], redact: Callable[[str], str]) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    names = ", ".join(one.template.name for one in backtests)
    yield f"<title>Backtest: {escape(names)}</title><style>{_STYLE}</style></head><body>"
    for at, one in enumerate(backtests):
        yield from _Section(one, f"b{at}", redact).render()
    yield "</body></html>\n"


class _Section:
    """Part of the page for one backtest."""

    def __init__(self, backtest: Backtest, name: str, redact: Callable[[str], str]) -> None:
        self._backtest = backtest
        self._name = name
        self._redact = redact
        # State: number of pictures so far, for their ids.
        self._pictures = 0

    def render(self) -> Iterator[str]:
        """Yield the parts of the section."""
        backtest = self._backtest
        title, *lines = build_title(backtest).plain.splitlines()
        yield f"<h1>{self._text(title)}</h1>"
        yield from (f'<p class="dim">{self._text(line)}</p>' for line in lines)
        yield from (f'<p class="note">note: {self._text(note)}</p>' for note in backtest.notes)
        yield from (
            f'<p class="dim">{self._text(one.metric)}: skipped, {self._text(one.reason)}</p>'
            for one in backtest.skipped
        )
        yield from self._table()
        if not backtest.runs:
            return
        yield "<h2>Runs that would have aborted</h2>"
        yield self._figure(
            draw_calendar(backtest),
            "Calendar: aborted runs of all runs with data, by the time of their start. Green: none. Grey: no data.",
        )
        yield from self._aborts()
        for at, study in enumerate(backtest.studies):
            yield from self._metric(study, at)

    def _table(self) -> Iterator[str]:
        backtest = self._backtest
        phases = "".join(
            f'<th class="number" style="color:{PHASE_COLOURS[one]}">{PHASE_STYLES[one].icon} {one}</th>'
            for one in _PHASES
        )
        yield f'<div class="wide"><table><tr><th>metric</th>{phases}<th class="number">no data</th>'
        yield f"<th>aborts ({INTERVAL_CONFIDENCE:.0%})</th><th>ends after</th></tr>"
        for target in backtest.targets:
            name = f"{target.name} (dry run)" if target.check.dry_run else target.name
            yield _row(name, summarize_metric(target.name, backtest.runs))
        yield _row("all metrics", summarize_runs(backtest.runs))
        yield "</table></div>"

    def _aborts(self) -> Iterator[str]:
        aborted = [run for run in self._backtest.runs if run.aborts and run.has_data]
        if not aborted:
            yield "<p>No run would have aborted.</p>"
            return
        is_open = " open" if len(aborted) <= _MAX_OPEN else ""
        yield f"<details{is_open}><summary>{format_count(len(aborted), 'run')}</summary><ul>"
        yield from (self._abort(run) for run in aborted[:_MAX_ABORTS])
        yield "</ul></details>"
        if len(aborted) > _MAX_ABORTS:
            yield f"<p>and {len(aborted) - _MAX_ABORTS} more: -o json has all</p>"

    def _abort(self, run: RunOutcome) -> str:
        deciding = run.deciding
        assert deciding is not None  # noqa: S101 # the run aborts
        start = run.start.astimezone(self._backtest.history.zone)
        minutes = format_count((deciding.ended_at - run.start) // timedelta(minutes=1), "minute")
        style = PHASE_STYLES[run.phase]
        arguments = ", ".join(f"{name}={value}" for name, value in run.arguments.items() if value)
        return (
            f'<li><b style="color:{PHASE_COLOURS[run.phase]}">{style.icon} {start:%a %Y-%m-%d %H:%M}</b>'
            f" after {minutes}, {self._text(deciding.metric)}{self._text(f' ({arguments})' if arguments else '')}:"
            f" {self._text(deciding.message)}</li>"
        )

    def _metric(self, study: MetricStudy, at: int) -> Iterator[str]:
        backtest = self._backtest
        outcomes = [run.metrics[at] for run in backtest.runs]
        yield f"<h2>{self._text(study.target.name)}</h2>"
        lines = "canary, stable and limits by minute" if study.spec.judged else "measurements over their windows"
        yield self._figure(
            draw_timeline(backtest, study, outcomes),
            f"Timeline: {lines}. Below: the runs, in full colour until the verdict. Vertical lines: aborts.",
        )
        if (details := draw_aborted_runs(backtest, study, outcomes)) is not None:
            yield self._figure(details, "Runs that this metric aborts, the first ones. Shaded: window of the verdict.")
        margin = study_margin(study, backtest.injection)
        if margin is not None:
            yield self._figure(
                draw_trade_off(margin),
                f"Margin against detection: the recorded minutes of at most {MAX_RUNS} runs, judged again with other"
                " tolerated margins (below each factor, s is stable's value), as they were and with faults.",
            )
        elif (threshold := study_threshold(study, outcomes, backtest.injection)) is not None:
            yield self._figure(draw_trade_off(threshold), "Threshold against aborts: the same measurements.")

    def _text(self, text: str) -> str:
        return escape(printable_line(self._redact(text)))

    def _figure(self, figure: Figure, caption: str) -> str:
        self._pictures += 1
        svg = render_svg(figure, f"{self._name}p{self._pictures}")
        return (
            f'<figure role="group"><div class="wide" role="img" aria-label="{self._text(caption)}">{svg}</div>'
            f"<figcaption>{self._text(caption)}</figcaption></figure>"
        )


def _row(name: str, summary: Summary) -> str:
    counts = [str(summary.phases.get(phase, 0) or "·") for phase in _PHASES]
    ends = ", ".join(
        f"{PHASE_STYLES[phase].icon} {summary.minutes[phase]:g}m" for phase in _PHASES if phase in summary.minutes
    )
    numbers = _cells([*counts, str(summary.without_data or "·")], "number")
    return f"<tr><td>{escape(name)}</td>{numbers}{_cells([format_rate(summary.aborts), ends])}</tr>"


def _cells(texts: Iterable[str], kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return "".join(f"<td{name}>{escape(text)}</td>" for text in texts)
