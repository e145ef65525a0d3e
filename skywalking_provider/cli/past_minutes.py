"""Inputs and progress of the commands that read past minutes: backtest and suggest."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from skywalking_provider.config import BackendConfig
from skywalking_provider.support.durations import parse_duration
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.live_reads import ReadProgress
from skywalking_provider.tools.backtest.model import ReplayProgress

MaxRequests = Annotated[int, typer.Option(min=1, max=32, metavar="NUMBER", help="Requests to the OAP at a time.")]
CacheFolder = Annotated[
    Path | None, typer.Option("--cache", metavar="FOLDER", help="Folder of the responses. Default: below ~/.cache.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither use nor keep responses on disk.")]

_MAX_SINCE: Final = timedelta(days=30)
_MIN_TIMEOUT: Final = timedelta(seconds=30)
"""Time of one attempt at least: a chunk has six hours of several series."""
_DAYS: Final = re.compile(r"(\d{1,3})d(.*)")


def parse_history(text: str) -> timedelta:
    """Return the length of a history in whole minutes.

    Raises:
        BadParameter: The text is not a duration, or is out of range.
    """
    try:
        days, rest = match.groups() if (match := _DAYS.fullmatch(text.strip())) else ("0", text)
        since = timedelta(days=int(days)) + (parse_duration(rest) if rest else timedelta(0))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
    if not 10 * MINUTE <= since <= _MAX_SINCE:
        raise typer.BadParameter(f"is {text}, must be from 10m to 30d. Correct it", param_hint="--since")
    return since // MINUTE * MINUTE


def limit_requests(configs: Mapping[str, BackendConfig], max_requests: int) -> dict[str, BackendConfig]:
    """Return configurations of backends for reads of long histories, a few at a time."""
    return {
        name: one.model_copy(update={"max_requests": max_requests, "timeout": max(one.timeout, _MIN_TIMEOUT)})
        for name, one in configs.items()
    }


@contextmanager
def show_progress() -> Iterator[ReplayProgress]:
    """Show the progress at a terminal, on standard error."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        reading, replaying = bar.add_task("reading", total=None), bar.add_task("replaying", total=None)
        reads = ReadProgress()
        progress = ReplayProgress(reads)
        reads.changed = lambda: bar.update(reading, total=reads.needed, completed=reads.complete)
        progress.changed = lambda: bar.update(replaying, total=progress.runs, completed=progress.replayed)
        yield progress
