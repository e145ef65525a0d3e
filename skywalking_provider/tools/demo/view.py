"""Terminal output of the demo: a panel for each canary with its buckets, condition and last message."""

from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from skywalking_provider.model import Phase
from skywalking_provider.tools.demo.runner import WEIGHTS, Canary, CanaryMeasurement
from skywalking_provider.tools.phases import PHASE_STYLES

_BLOCKS = "▁▂▃▄▅▆▇█"
_APDEX_OBJECTIVE = 9900
_LOWEST, _HIGHEST = 7000, 10000


class DemoView:
    """Live panels in a terminal; otherwise one line for each measurement."""

    def __init__(self, console: Console, condition: str) -> None:
        self._console = console
        self._condition = condition
        self._live = Live(console=console, refresh_per_second=12) if console.is_terminal else None
        # Canaries by title, and the number of their measurements that are printed.
        self._canaries: dict[str, Canary] = {}
        self._printed: dict[str, int] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, canary: Canary) -> None:
        """Update the output."""
        self._canaries[canary.title] = canary
        if self._live:
            self._live.update(Group(*(self._panel(one) for one in self._canaries.values())))
        else:
            self._print(canary)

    def _print(self, canary: Canary) -> None:
        printed = self._printed.get(canary.title, 0)
        for one in canary.measurements[printed:]:
            self._console.print(Text(f"{canary.title}: ").append(_measurement_line(one)), soft_wrap=True)
            if one.message:
                self._console.print(Text(f"    {one.message}"), soft_wrap=True)
        self._printed[canary.title] = len(canary.measurements)
        if canary.outcome:
            self._console.print(Text(f"{canary.title}: {canary.outcome}"), soft_wrap=True)

    def _panel(self, canary: Canary) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for one in canary.measurements:
            table.add_row(_measurement_line(one), _chart(one))
        last_message = next((one.message for one in reversed(canary.measurements) if one.message), "")
        parts: list[RenderableType] = [_steps(canary), Text(f"successCondition  {self._condition}", style="dim"), table]
        if last_message:
            parts.append(Text(last_message, style="italic"))
        if canary.outcome:
            good = canary.outcome.startswith("promoted")
            parts.append(Text(canary.outcome, style=f"bold {'green' if good else 'red'}"))
        return Panel(Group(*parts), title=canary.title, title_align="left", border_style="blue", padding=(0, 1))


def _steps(canary: Canary) -> Text:
    text = Text("weight ")
    for weight in (*WEIGHTS, 100):
        style = "bold white on blue" if weight == canary.weight else ("green" if weight < canary.weight else "dim")
        text.append(f" {weight} ", style=style)
    text.append(f"   clock {canary.now:%H:%M}")
    if not canary.outcome:
        done = 12 - round(canary.next_in * 12)
        text.append("   next measurement ").append("━" * done, style="cyan").append("━" * (12 - done), style="dim")
    elif canary.weight == 0:
        text.append("   canary 0, stable 100", style="red")
    return text


def _measurement_line(measurement: CanaryMeasurement) -> Text:
    style = PHASE_STYLES[Phase(measurement.phase)]
    text = Text(f"{measurement.at:%H:%M}  ")
    text.append(f"{style.icon} {measurement.phase:<12}", style=style.colour)
    return text.append(f"{measurement.elapsed_ms:6.1f} ms", style="dim")


def _chart(measurement: CanaryMeasurement) -> Text:
    text = Text()
    for bucket in measurement.buckets:
        level = (min(max(bucket, _LOWEST), _HIGHEST) - _LOWEST) / (_HIGHEST - _LOWEST)
        bar = _BLOCKS[round(level * (len(_BLOCKS) - 1))] * 2
        text.append(f"{bar} ", style="green" if bucket >= _APDEX_OBJECTIVE else "red").append(
            f"{bucket:<6}", style="dim"
        )
    return text
