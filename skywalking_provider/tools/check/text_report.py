"""Text report of `check`: requests, buckets, conditions and verdict of a metric as lines of styled text. No I/O."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from skywalking_provider.analysis.cause_view import build_cause_view
from skywalking_provider.analysis.message import format_window
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.formatting import compact, json_lines, query_lines, truncate_lines
from skywalking_provider.tools.check.cause_text import draw_cause
from skywalking_provider.tools.check.chart_rows import build_chart_rows
from skywalking_provider.tools.check.judgement_text import (
    draw_evidence,
    draw_minutes,
    format_assumed_start,
    format_finding,
)
from skywalking_provider.tools.check.recording import Exchange
from skywalking_provider.tools.check.runner import JUDGED_TIME, CheckResult, Condition
from skywalking_provider.tools.check.selection import SkippedMetric
from skywalking_provider.tools.check.text_chart import draw_chart
from skywalking_provider.tools.phases import PHASE_STYLES

LABEL_WIDTH = 13  # columns of the labels at the left
_MAX_LINES = 24
_UNLIMITED = 1_000_000
_TRUNCATION_HINT = "-o wide shows all"

ReportSection = tuple[str, list[Text]]


def build_sections(check_result: CheckResult, width: int, *, wide: bool) -> list[ReportSection]:
    """Return the sections of a metric. A line that cannot be split may be longer than the width.

    Args:
        check_result: Measured metric.
        width: Columns for the lines.
        wide: Whether to include raw responses and all lines.
    """
    max_lines = _UNLIMITED if wide else _MAX_LINES
    sections = [("backend", [_format_backend(check_result)])]
    for exchange in check_result.sample_exchanges:
        sections += _request_sections(exchange, width, max_lines)
        if wide:
            sections.append(("response", [_dim_line(line) for line in _response_lines(exchange, width)]))
    if check_result.assumed_start:
        sections.append(("run", [format_assumed_start(check_result.assumed_start, JUDGED_TIME)]))
    if check_result.sample and check_result.window:
        rows = build_chart_rows(check_result.sample, check_result.window)
        window = format_window(check_result.window, check_result.measurement.started_at)
        title = Text(f"{window} · {format_count(check_result.window.buckets, 'minute')}", style="dim")
        sections.append(("buckets", [title, *draw_chart(rows, check_result.window, width)]))
        result = truncate_lines(json_lines(check_result.result, width), max_lines, _TRUNCATION_HINT)
        sections.append(("result", [Text(line) for line in result]))
    alarms = [one.describe(check_result.measurement.started_at) for one in check_result.alarms or ()]
    sections.append(
        ("alarms", [Text(line) for line in truncate_lines(wrap_lines(alarms, width), max_lines, _TRUNCATION_HINT)])
    )
    sections += _judgement_sections(check_result, width, wide=wide)
    sections += [(one.kind, [_format_condition(one)]) for one in check_result.conditions]
    sections.append(("verdict", [_format_verdict(check_result)]))
    if cause := check_result.event.details.cause:
        sections.append(("cause", draw_cause(build_cause_view(cause), width, wide=wide)))
    if check_result.measurement.message:
        sections.append(("message", [Text(check_result.measurement.message)]))
    sections += [("note", [Text(note, style="yellow")]) for note in check_result.notes]
    return [section for section in sections if section[1]]


def format_heading(check_result: CheckResult) -> Text:
    """Return the heading: icon of the phase, name and provider of the metric."""
    text = format_phase(check_result)
    text.append(f" {check_result.target.metric.name}", style="bold")
    text.append(f"  {check_result.target.provider}", style="dim")
    return text.append("  dry run", style="yellow") if check_result.target.dry_run else text


def format_phase(check_result: CheckResult) -> Text:
    """Return the icon of the phase in its colour."""
    style = PHASE_STYLES[check_result.measurement.phase]
    return Text().append(style.icon, style=f"bold {style.colour}")


def format_skipped(skipped: SkippedMetric) -> Text:
    """Return the line of a metric that was not measured."""
    return Text(f"- {describe_skipped(skipped)}", style="dim")


def describe_skipped(skipped: SkippedMetric) -> str:
    """Return the name of a metric that was not measured, and the reason."""
    return f"{skipped.metric}: skipped, {skipped.reason}"


def format_summary(check_results: Sequence[CheckResult], skipped: Sequence[SkippedMetric]) -> Text:
    """Return the number of metrics in each phase. Dry runs, which Argo does not count, come after the others."""
    text = Text()
    for dry_run, end in ((False, ""), (True, " in a dry run")):
        for phase, style in PHASE_STYLES.items():
            count = sum(one.measurement.phase is phase and one.target.dry_run is dry_run for one in check_results)
            if count:
                text.append(" · " if text else "").append(f"{style.icon} {count} {phase}{end}", style=style.colour)
    if skipped:
        text.append(" · " if text else "").append(f"{len(skipped)} skipped", style="dim")
    return text


def wrap_lines(lines: Iterable[str], width: int) -> list[str]:
    """Wrap lines at spaces where possible, and indent the continuation lines."""
    pieces = []
    for line in lines:
        rest = line
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        while len(rest) > width:
            cut = rest.rfind(" ", len(indent) + 1, width + 1)
            cut = cut if cut > 0 else width
            pieces.append(rest[:cut].rstrip())
            rest = indent + rest[cut:].lstrip()
        pieces.append(rest)
    return pieces


def _format_backend(check_result: CheckResult) -> Text:
    if not check_result.backend:
        return Text("none: no request was sent", style="dim")
    text = Text(check_result.backend).append(f"  {check_result.url}", style="dim")
    if not check_result.exchanges:
        return text.append("  no request: the responses of an earlier metric were reused", style="dim")
    return text.append(f"  {format_count(len(check_result.exchanges), 'request')}", style="dim")


def _request_sections(exchange: Exchange, width: int, max_lines: int) -> list[ReportSection]:
    query = truncate_lines(wrap_lines(query_lines(exchange.request.query), width), max_lines, _TRUNCATION_HINT)
    variables = exchange.request.variables
    size = max((len(name) for name in variables), default=0) + 2
    values = [f"{name.ljust(size)}{compact(value)}" for name, value in variables.items()]
    return [
        ("request", [Text(line) for line in query]),
        ("variables", [Text(line) for line in truncate_lines(wrap_lines(values, width), max_lines, _TRUNCATION_HINT)]),
    ]


def _response_lines(exchange: Exchange, width: int) -> list[str]:
    if exchange.error is not None:
        return [f"error: {exchange.error}"]
    return json_lines(exchange.data, width)


def _judgement_sections(check_result: CheckResult, width: int, *, wide: bool) -> list[ReportSection]:
    """Return the sections of a judgement; none without one."""
    view = check_result.judgement
    if view is None:
        return []
    return [
        ("minutes", draw_minutes(view, width, wide=wide)),
        ("evidence", draw_evidence(view, width)),
        ("finding", [format_finding(view)]),
    ]


def _dim_line(line: str) -> Text:
    return Text(line, style="dim")


def _format_condition(condition: Condition) -> Text:
    language = " (CEL)" if condition.language == "cel" else ""
    match condition:
        case Condition(error=str(error)) if error:
            text = Text().append("⚠ ", style="magenta").append(f"{_on_one_line(condition.text)}{language}")
            return text.append("  cannot be evaluated", style="dim")
        case Condition(holds=None):
            return Text(f"– {_on_one_line(condition.text)}{language}  not evaluated", style="dim")
    good = condition.holds is (condition.kind == "success")
    text = (
        Text()
        .append("✔ " if good else "✖ ", style="green" if good else "red")
        .append(_on_one_line(condition.text) + language)
    )
    return text.append("  holds" if condition.holds else "  does not hold", style="dim")


def _format_verdict(check_result: CheckResult) -> Text:
    measurement = check_result.measurement
    style = PHASE_STYLES[measurement.phase]
    text = Text().append(f"{style.icon} {measurement.phase}", style=f"bold {style.colour}")
    text.append(f"  in {check_result.event.seconds * 1000:.0f} ms", style="dim")
    if measurement.resume_at:
        text.append(
            f"; the service would resume at {measurement.resume_at.strftime('%H:%M:%S %z')}, check does not wait",
            style="dim",
        )
    return text


def _on_one_line(condition: str) -> str:
    return " ".join(condition.split())
