"""Text report of `backtest`: outcomes of the metrics as a table, and the runs that would have aborted. No I/O."""

from collections.abc import Iterator
from datetime import timedelta

from rich.table import Table
from rich.text import Text

from skywalking_provider.model import Phase
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.durations import format_duration
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.outcome import (
    INTERVAL_CONFIDENCE,
    Rate,
    RunOutcome,
    Summary,
    summarize_metric,
    summarize_runs,
)
from skywalking_provider.tools.phases import PHASE_STYLES

_MAX_RUNS = 10
_PHASES = (Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE, Phase.ERROR)


def build_title(backtest: Backtest) -> Text:
    """Return the lines with the template and its history."""
    history = backtest.history
    zone = history.zone
    text = Text().append(f"{backtest.template.kind} {backtest.template.name}", style="bold")
    text.append(f"  {backtest.template.file}\n", style="dim")
    runs = format_count(len(backtest.runs), "run")
    text.append(
        f"{history.start.astimezone(zone):%Y-%m-%d %H:%M} to {history.end.astimezone(zone):%Y-%m-%d %H:%M %z}"
        f" · {runs} of {format_duration(backtest.length)}, every {format_duration(backtest.every)}",
        style="dim",
    )
    for line in (describe_splits(backtest), describe_injection(backtest)):
        if line:
            text.append(f"\n{line}")
    return text


def describe_splits(backtest: Backtest) -> str:
    """Return the line about the splits of A/A runs; empty for other runs."""
    splits = backtest.splits
    if not splits:
        return ""
    weight = sum(one.weight for one in splits) / len(splits)
    sizes = sorted({len(one.canary) for one in splits})
    canary = format_count(sizes[0], "pod") if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} pods"
    versions = ", ".join(sorted({f"{one.version.rollout}-{one.version.pod_template_hash}" for one in splits}))
    pods = max(len(one.canary) + len(one.stable) for one in splits)
    return f"A/A: {pods} pods of {versions}, split at random; the canary has {canary}, {_percent(weight)} of the calls"


def describe_injection(backtest: Backtest) -> str:
    """Return the line about an injected fault, with the time until it was found; empty without one."""
    fault = backtest.injection
    if fault is None:
        return ""
    found = [run.deciding.ended_at - run.start for run in backtest.runs if run.phase is Phase.FAILED and run.deciding]
    with_data = sum(run.has_data for run in backtest.runs)
    line = f"injected: {fault.description}; found in {len(found)} of {format_count(with_data, 'run')}"
    if not found:
        return line
    minutes = sorted(one / timedelta(minutes=1) for one in found)
    middle, most = minutes[len(minutes) // 2], minutes[min(len(minutes) - 1, int(0.9 * len(minutes)))]
    return f"{line}, after {middle:g} minutes (median), {most:g} minutes (90 %)"


def build_table(backtest: Backtest) -> Table:
    """Return the table of outcomes: a row for each metric, and one for the whole runs."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("metric")
    for phase in _PHASES:
        style = PHASE_STYLES[phase]
        table.add_column(f"{style.icon} {phase}", justify="right", style=style.colour)
    table.add_column("no data", justify="right", style="dim")
    table.add_column(f"aborts ({INTERVAL_CONFIDENCE:.0%})")
    table.add_column("ends after")
    for target in backtest.targets:
        name = f"{target.name} (dry run)" if target.check.dry_run else target.name
        table.add_row(*_row(name, summarize_metric(target.name, backtest.runs)))
    table.add_row(*_row("all metrics", summarize_runs(backtest.runs)), style="bold")
    return table


def describe_aborts(backtest: Backtest) -> Iterator[Text]:
    """Yield a line for each run that would have aborted, the first ones at most."""
    aborted = [run for run in backtest.runs if run.aborts and run.has_data]
    for run in aborted[:_MAX_RUNS]:
        yield _describe_run(run, backtest)
    if len(aborted) > _MAX_RUNS:
        yield Text(f"and {len(aborted) - _MAX_RUNS} more: -o json has all", style="dim")


def format_rate(rate: Rate) -> str:
    """Return a share with its interval in percent, or a dash without runs."""
    interval = rate.interval
    if interval is None or rate.share is None:
        return "–"
    return f"{_percent(rate.share)} ({_percent(interval[0])}–{_percent(interval[1])})"


def _row(name: str, summary: Summary) -> list[str]:
    counts = [str(summary.phases.get(phase, 0) or "·") for phase in _PHASES]
    ends = ", ".join(
        f"{PHASE_STYLES[phase].icon} {summary.minutes[phase]:g}m" for phase in _PHASES if phase in summary.minutes
    )
    return [name, *counts, str(summary.without_data or "·"), format_rate(summary.aborts), ends]


def _describe_run(run: RunOutcome, backtest: Backtest) -> Text:
    deciding = run.deciding
    assert deciding is not None  # noqa: S101 # the run aborts
    style = PHASE_STYLES[run.phase]
    minutes = (deciding.ended_at - run.start) // timedelta(minutes=1)
    text = Text().append(f"{style.icon} ", style=f"bold {style.colour}")
    text.append(f"{run.start.astimezone(backtest.history.zone):%a %Y-%m-%d %H:%M}", style="bold")
    text.append(f" after {format_count(minutes, 'minute')}, {deciding.metric}")
    if run.arguments:
        text.append(f" ({', '.join(f'{name}={value}' for name, value in run.arguments.items() if value)})", style="dim")
    return text.append(f": {deciding.message}")


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
