"""Output of `backtest`: text or JSON, and the page with pictures."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from skywalking_provider.config import BackendConfig
from skywalking_provider.oap.transport.credentials import redactor_for
from skywalking_provider.support.printable import escape_unprintable_json, printable_line
from skywalking_provider.support.redaction import redact_json
from skywalking_provider.tools.backtest.json_report import build_backtest_json
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.text_report import build_table, build_title, describe_aborts

_WIDTH: Final = 160  # columns without a terminal


class BacktestOutput(StrEnum):
    """Output format."""

    HUMAN = "human"
    JSON = "json"


def check_html(file: Path) -> None:
    """Check that the page can be drawn and written, before the replay takes its time.

    Raises:
        typer.BadParameter: It cannot.
    """
    if find_spec("matplotlib") is None:
        raise typer.BadParameter(
            "needs matplotlib, which is not installed. Run pip install 'skywalking-provider[report]'",
            param_hint="--html",
        )
    if file.is_dir() or not file.parent.is_dir():
        raise typer.BadParameter(f"cannot be written: {file}. Name a file in an existing folder", param_hint="--html")


def write_html(backtests: Sequence[Backtest], backends: Mapping[str, BackendConfig], file: Path) -> None:
    """Write the page with pictures."""
    # It imports matplotlib, an optional package of seconds and 100 MB that no other command needs.
    from skywalking_provider.tools.backtest.page.html import render_page  # noqa: PLC0415

    file.write_text(render_page(backtests, redactor_for(backends.values())), encoding="utf-8")


def show(backtests: Sequence[Backtest], backends: Mapping[str, BackendConfig], output: BacktestOutput) -> None:
    """Print the outcomes on standard output."""
    redact = redactor_for(backends.values())
    if output is BacktestOutput.JSON:
        content = redact_json([build_backtest_json(one) for one in backtests], redact)
        typer.echo(escape_unprintable_json(json.dumps(content, indent=2, ensure_ascii=False)))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=_WIDTH)
    for one in backtests:
        console.print(build_title(one), soft_wrap=True)
        console.print()
        console.print(build_table(one))
        lines = [*describe_aborts(one), *(Text(f"note: {note}", style="yellow") for note in one.notes)]
        lines += [Text(f"- {skipped.metric}: skipped, {skipped.reason}", style="dim") for skipped in one.skipped]
        console.print()
        for line in lines:
            line.plain = printable_line(redact(line.plain))
            console.print(line, soft_wrap=True)
