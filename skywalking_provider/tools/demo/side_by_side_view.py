"""Terminal output of the demo's second act: a panel for each canary, with both verdicts at each minute."""

from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from skywalking_provider.analysis.judgement_message import format_evidence
from skywalking_provider.model import Phase
from skywalking_provider.tools.demo.side_by_side import CANARY_CALLS, STABLE_CALLS, Comparison, Look, Verdict
from skywalking_provider.tools.phases import PHASE_STYLES

_NEEDED: Final = {"worse": "1 000", "fine": "20"}
"""Evidence that a finding needs with the default confidence."""


class SideBySideView:
    """Live panels in a terminal; otherwise the panels at their end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=12) if console.is_terminal else None
        self._comparisons: dict[str, Comparison] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
        else:
            self._console.print(self.render())

    def show(self, comparison: Comparison) -> None:
        """Update the output."""
        self._comparisons[comparison.title] = comparison
        if self._live:
            self._live.update(self.render())

    def render(self) -> RenderableType:
        """Return all panels."""
        return Group(*(_panel(one) for one in self._comparisons.values()))


def _panel(comparison: Comparison) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row(
        *(
            Text(text, style="dim")
            for text in ("minute", "canary failed", "threshold: result >= 0.99", "judged: compare")
        )
    )
    for look in comparison.looks:
        table.add_row(
            Text(f"{look.minute:>6}"),
            Text(f"{look.failures:>2} of {CANARY_CALLS}", style="red" if look.failures else ""),
            _threshold(look.threshold),
            _judged(look.judged),
        )
    parts: list[RenderableType] = [table]
    parts += [Text(message, style="italic") for message in _messages(comparison)]
    return Panel(
        Group(*parts),
        title=f"{comparison.title}: {CANARY_CALLS} calls a minute beside {STABLE_CALLS} of stable, of which 0.5 % fail",
        title_align="left",
        border_style="blue",
        padding=(0, 1),
    )


def _threshold(verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text("  aborted", style="dim")
    text = _phase(verdict.phase)
    return text if verdict.result is None else text.append(f" {verdict.result:.3f}", style="dim")


def _judged(verdict: Verdict) -> Text:
    text = _phase(verdict.phase)
    if isinstance(verdict.result, dict):
        kind = verdict.result["verdict"]
        evidence = format_evidence(verdict.result["evidence"][kind])
        return text.append(f" {kind}: evidence {evidence}, needed {_NEEDED[kind]}", style="dim")
    return text.append(f" {shorten_undecided(verdict.message)}", style="dim")


def _phase(phase: Phase) -> Text:
    style = PHASE_STYLES[phase]
    return Text().append(f"{style.icon} {phase.value:<10}", style=style.colour)


def shorten_undecided(message: str) -> str:
    """Return the cause in an UNDECIDED message, and the estimate or the evidence if it has one."""
    cause, *parts = message.removeprefix("UNDECIDED ").split(" · ")
    numbers = [part for part in parts[:1] if part.startswith(("about", "evidence"))]
    return " · ".join([cause.partition(":")[0].partition(",")[0], *numbers])


def _messages(comparison: Comparison) -> list[str]:
    aborted: Look | None = comparison.threshold_aborted
    messages = [f"threshold  {aborted.threshold.message}"] if aborted and aborted.threshold else []
    last = comparison.looks[-1].judged if comparison.looks else None
    if last and last.phase is Phase.FAILED:
        messages.append(f"judged     {last.message}")
    if last and last.phase is Phase.SUCCESSFUL:
        calls = last.result["calls"]["canary"]
        messages.append(f"judged     fine: success-rate {last.result['canary']:.4g} of {calls} calls, no message")
    return messages
