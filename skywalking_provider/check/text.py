"""A checked metric as a person reads it: what was asked, what came, what follows. Pure: lines of styled text."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from skywalking_provider.check.buckets import rows_of
from skywalking_provider.check.chart import chart
from skywalking_provider.check.measuring import Checked, Condition
from skywalking_provider.check.questions import Skipped
from skywalking_provider.check.recording import Exchange
from skywalking_provider.explain import window_text
from skywalking_provider.model import Phase
from skywalking_provider.pretty import bounded, compact, json_lines, query_lines

ICONS = {
    Phase.SUCCESSFUL: ("✔", "green"),
    Phase.FAILED: ("✖", "red"),
    Phase.ERROR: ("⚠", "magenta"),
    Phase.INCONCLUSIVE: ("?", "yellow"),
    Phase.RUNNING: ("◌", "cyan"),
    Phase.PENDING: ("◷", "cyan"),
}
"""As `kubectl argo rollouts` shows phases."""

LABEL = 13  # columns of the labels at the left
_LINES = 24
_ENDLESS = 1_000_000
_MORE = "-o wide shows all"

Section = tuple[str, list[Text]]


def sections_of(checked: Checked, width: int, *, wide: bool) -> list[Section]:
    """Labels and their lines; the lines may be longer than the width where they must.

    Args:
        checked: The metric.
        width: Columns for the lines.
        wide: Whether everything is shown, raw answers too.
    """
    most = _ENDLESS if wide else _LINES
    shown = [("backend", [_backend(checked)])]
    for exchange in checked.reads:
        shown += _request(exchange, width, most)
        if wide:
            shown.append(("answer", [_answer(line) for line in _raw(exchange, width)]))
    if checked.answered and checked.window:
        title = Text(f"{window_text(checked.window)} · {checked.window.buckets} minutes", style="dim")
        shown.append(("buckets", [title, *chart(rows_of(checked), checked.window, width)]))
        result = bounded(json_lines(checked.result, width), most, _MORE)
        shown.append(("result", [Text(line) for line in result]))
    shown += [(one.kind, [_condition(one)]) for one in checked.conditions]
    shown.append(("verdict", [_verdict(checked)]))
    if checked.measurement.message:
        shown.append(("message", [Text(checked.measurement.message)]))
    shown += [("note", [Text(note, style="yellow")]) for note in checked.question.notes]
    return [section for section in shown if section[1]]


def heading(checked: Checked) -> Text:
    """The metric and its phase."""
    text = phase_of(checked)
    return text.append(f" {checked.question.metric.name}", style="bold").append(
        f"  {checked.question.provider}", style="dim"
    )


def phase_of(checked: Checked) -> Text:
    """The icon, coloured."""
    icon, colour = ICONS[checked.measurement.phase]
    return Text().append(icon, style=f"bold {colour}")


def skipped_line(one: Skipped) -> Text:
    """A metric that was not measured."""
    return Text(f"- {one.metric}: skipped, {one.why}", style="dim")


def summary(all_checked: Sequence[Checked], skipped: Sequence[Skipped]) -> Text:
    """How many of each phase."""
    text = Text()
    for phase, (icon, colour) in ICONS.items():
        count = sum(one.measurement.phase is phase for one in all_checked)
        if count:
            text.append(" · " if text else "").append(f"{icon} {count} {phase}", style=colour)
    if skipped:
        text.append(" · " if text else "").append(f"{len(skipped)} skipped", style="dim")
    return text


def wrapped(lines: Iterable[str], width: int) -> list[str]:
    """Long lines in pieces that fit, later pieces indented; words stay whole where they can."""
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


def _backend(checked: Checked) -> Text:
    if not checked.backend:
        return Text("none: no OAP was asked", style="dim")
    text = Text(checked.backend).append(f"  {checked.url}", style="dim")
    if not checked.exchanges:
        return text.append("  no request: what it takes was asked for a metric before", style="dim")
    count = len(checked.exchanges)
    return text.append(f"  {count} request{'s' if count > 1 else ''}", style="dim")


def _request(exchange: Exchange, width: int, most: int) -> list[Section]:
    query = bounded(wrapped(query_lines(exchange.read.query), width), most, _MORE)
    variables = exchange.read.variables
    size = max((len(name) for name in variables), default=0) + 2
    values = [f"{name.ljust(size)}{compact(value)}" for name, value in variables.items()]
    return [
        ("request", [Text(line) for line in query]),
        ("variables", [Text(line) for line in bounded(wrapped(values, width), most, _MORE)]),
    ]


def _raw(exchange: Exchange, width: int) -> list[str]:
    if exchange.error is not None:
        return [f"none: {exchange.error}"]
    return json_lines(exchange.data, width)


def _answer(line: str) -> Text:
    return Text(line, style="dim")


def _condition(one: Condition) -> Text:
    language = " (CEL)" if one.language == "cel" else ""
    match one:
        case Condition(error=str(error)) if error:
            text = Text().append("⚠ ", style="magenta").append(f"{_flat(one.text)}{language}")
            return text.append("  cannot be evaluated", style="dim")
        case Condition(holds=None):
            return Text(f"– {_flat(one.text)}{language}  not asked", style="dim")
    good = one.holds is (one.kind == "success")
    text = Text().append("✔ " if good else "✖ ", style="green" if good else "red").append(_flat(one.text) + language)
    return text.append("  holds" if one.holds else "  does not hold", style="dim")


def _verdict(checked: Checked) -> Text:
    measurement = checked.measurement
    icon, colour = ICONS[measurement.phase]
    text = Text().append(f"{icon} {measurement.phase}", style=f"bold {colour}")
    text.append(f"  in {checked.seconds * 1000:.0f} ms", style="dim")
    if measurement.resume_at:
        text.append(
            f"; the service would ask again at {measurement.resume_at.strftime('%H:%M:%S %z')}, check does not wait",
            style="dim",
        )
    return text


def _flat(condition: str) -> str:
    return " ".join(condition.split())
