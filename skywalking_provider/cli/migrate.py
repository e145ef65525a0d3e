"""`skywalking-provider migrate`: rewrite templates of the built-in provider."""

import os
import re
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from skywalking_provider.support.printable import printable_line, replace_unprintable
from skywalking_provider.tools.migrate import Migration, MigrationError, migrate
from skywalking_provider.tools.migrate.report import (
    Line,
    LineStyle,
    behaviour_changes,
    build_backend_snippet,
    diff,
)

_STYLES: dict[LineStyle, dict[str, Any]] = {
    LineStyle.PLAIN: {},
    LineStyle.TITLE: {"bold": True},
    LineStyle.ADDED: {"fg": typer.colors.GREEN},
    LineStyle.REMOVED: {"fg": typer.colors.RED},
    LineStyle.HUNK: {"fg": typer.colors.CYAN},
    LineStyle.ACTION_REQUIRED: {"fg": typer.colors.YELLOW},
}
_MAX_WIDTH = 120
_USAGE_ERROR = 2


class Target(StrEnum):
    """Query types of the rewritten blocks."""

    QUERY = "query"
    EXPRESSION = "expression"


class MigrateOutput(StrEnum):
    """Forms of the standard output."""

    DIFF = "diff"
    YAML = "yaml"


def migrate_command(
    *,
    filenames: Annotated[
        list[str], typer.Option("--filename", "-f", metavar="FILE", help="YAML file, or - for stdin. May be repeated.")
    ],
    to: Annotated[
        Target, typer.Option(help="Keep queries, or write expressions where they mean the same (OAP 9.5 or newer).")
    ] = Target.QUERY,
    write: Annotated[bool, typer.Option("--write", "-w", help="Write the files in place.")] = False,
    output: Annotated[
        MigrateOutput, typer.Option("--output", "-o", help="Print a diff, or the whole result.")
    ] = MigrateOutput.DIFF,
    plugin_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the plugin in Argo's configuration.")
    ] = "skywalking/metrics",
) -> None:
    """Rewrite metrics of Argo's built-in SkyWalking provider for this provider.

    Prints a diff, or writes the files with -w. Everything outside of the blocks stays unchanged, including comments.
    Changes in behaviour are printed to standard error.

    Exit codes: 0 success, also if there is nothing to migrate; 2 an invalid file (no file is written) or wrong usage.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", plugin_name):
        raise typer.BadParameter(
            f"{plugin_name!r} is not a plugin name for Argo. Write a name such as skywalking/metrics."
        )
    if write and ("-" in filenames or output is MigrateOutput.YAML):
        raise typer.BadParameter(
            "cannot be used with -f - or -o yaml, which write to standard output.", param_hint="--write"
        )
    files = _migrate_files(list(dict.fromkeys(filenames)), plugin_name, expressions=to is Target.EXPRESSION)
    if write:
        _write(files)
    elif output is MigrateOutput.YAML:
        _print_yaml(files)
    else:
        _show(sys.stdout, (line for name, migration in files for line in diff(_display_name(name), migration)))
    _explain(files, files_written=write, diff_shown=output is MigrateOutput.DIFF and not write)


def _migrate_files(names: list[str], plugin: str, *, expressions: bool) -> list[tuple[str, Migration]]:
    """Migrate all files; print the first problem of each invalid file and exit."""
    files, failed = [], False
    for name in names:
        try:
            files.append((name, migrate(_read(name), plugin, expressions=expressions)))
        except MigrationError as error:
            typer.echo(printable_line(f"{_display_name(name)}:{error.line}: {error.message}"), err=True)
            failed = True
    if failed:
        if len(names) > 1:
            typer.echo("skywalking-provider: no file was migrated. Fix the errors above first.", err=True)
        raise typer.Exit(_USAGE_ERROR)
    return files


def _read(name: str) -> str:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        hint = " Pass each of its files with -f." if isinstance(error, IsADirectoryError) else ""
        raise MigrationError(1, f"cannot be read: {error.strerror}.{hint}") from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MigrationError(content.count(b"\n", 0, error.start) + 1, "is not UTF-8. Convert it first.") from error


def _write(files: Iterable[tuple[str, Migration]]) -> None:
    for name, migration in files:
        if migration.after == migration.before:
            continue
        try:
            Path(name).write_bytes(migration.after.encode())
        except OSError as error:
            typer.echo(printable_line(f"{name}: cannot be written: {error.strerror}."), err=True)
            raise typer.Exit(_USAGE_ERROR) from error


def _print_yaml(files: list[tuple[str, Migration]]) -> None:
    """Print the results byte for byte, as documents of one stream."""
    ends_line = True
    for position, (_, migration) in enumerate(files):
        text = migration.after
        if position:
            sys.stdout.write("" if ends_line else "\n")
            sys.stdout.write("" if text.lstrip("\ufeff").startswith("---") else "---\n")
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        ends_line = text.endswith("\n")
    sys.stdout.flush()


def _explain(files: list[tuple[str, Migration]], *, files_written: bool, diff_shown: bool) -> None:
    terminal = sys.stderr.isatty()
    width = min(_MAX_WIDTH, os.get_terminal_size(sys.stderr.fileno()).columns) if terminal else 0
    named = [(_display_name(name), migration) for name, migration in files]
    summary = [
        line for name, migration in named for line in _summary_lines(name, migration, files_written=files_written)
    ]
    paragraphs = [one for one in (summary, *behaviour_changes(named, width), list(build_backend_snippet(named))) if one]
    separate = terminal and diff_shown and any(migration.after != migration.before for _, migration in files)
    for paragraph in paragraphs:
        _show(sys.stderr, [Line(""), *paragraph] if separate else paragraph)
        separate = True


def _summary_lines(name: str, migration: Migration, *, files_written: bool) -> list[Line]:
    changed = sum(metric.changed for metric in migration.metrics)
    if not changed:
        return [Line(f"{name}: nothing to migrate")]
    return [Line(f"{name}: {changed} {'metric' if changed == 1 else 'metrics'} rewritten")] if files_written else []


def _show(stream: TextIO, lines: Iterable[Line]) -> None:
    coloured = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    for line in lines:
        style = _STYLES[line.style] if coloured and line.text else {}
        text = replace_unprintable(line.text)
        print(typer.style(text, **style) if style else text, file=stream)
    stream.flush()


def _display_name(name: str) -> str:
    return "stdin" if name == "-" else name
