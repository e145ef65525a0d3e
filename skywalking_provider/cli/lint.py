"""`skywalking-provider lint`: find mistakes in analysis templates, offline."""

import asyncio
import gc
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO

import structlog
import typer
from rich.console import Console
from rich.text import Text

from skywalking_provider.config import BackendConfig, ConfigError, load_config
from skywalking_provider.support.printable import escape_unprintable_json, printable_line, printable_values
from skywalking_provider.tools.lint.linter import LintContext, Linter, LintReport
from skywalking_provider.tools.lint.prober import Prober
from skywalking_provider.tools.lint.registry import Severity
from skywalking_provider.tools.lint.reports.github import format_github_commands
from skywalking_provider.tools.lint.reports.json_report import build_lint_json
from skywalking_provider.tools.lint.reports.sarif import build_sarif
from skywalking_provider.tools.lint.reports.text import format_findings, format_skipped, format_summary
from skywalking_provider.tools.lint.rules.backends import open_configured
from skywalking_provider.tools.lint.rules.versions import parse_version
from skywalking_provider.tools.lint.sources import STDIN, read_sources

_FINDINGS, _USAGE_ERROR = 1, 2
_WIDTH = 120
"""Columns of a file's line where the output is no terminal."""


class LintOutput(StrEnum):
    """Forms of the standard output."""

    HUMAN = "human"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class FailOn(StrEnum):
    """Severity from which on findings make the exit code 1."""

    WARNING = "warning"
    ERROR = "error"
    NEVER = "never"


def lint_command(
    *,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Files, folders, or - for stdin.")
    ] = None,
    filenames: Annotated[
        list[str] | None,
        typer.Option("--filename", "-f", metavar="PATH", help="The same as PATH, as in the other commands."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Configuration of the provider: backends that blocks may name.", exists=True)
    ] = None,
    plugin_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the plugin in Argo's configuration.")
    ] = "skywalking/metrics",
    oap_version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Version of the OAP, such as 10.1: what it lacks is a finding."),
    ] = None,
    output: Annotated[LintOutput, typer.Option("--output", "-o", help="Output format.")] = LintOutput.HUMAN,
    pass_through: Annotated[
        bool,
        typer.Option(
            "--pass-through",
            help="With - alone: write the input to stdout if the exit code is 0, and findings to stderr.",
        ),
    ] = False,
    fail_on: Annotated[FailOn, typer.Option(help="Lowest severity that makes the exit code 1.")] = FailOn.WARNING,
) -> None:
    """Find mistakes in AnalysisTemplates without a cluster and without an OAP.

    Reads YAML files, the YAML files of folders, and the output of helm template. Each finding has a stable id.

    Exit codes: 0 no finding, 1 findings, 2 wrong usage, or an invalid configuration.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    names = [*(paths or ()), *(filenames or ())]
    if not names:
        raise typer.BadParameter("is missing. Pass files, folders, or - for stdin.", param_hint="PATH")
    if pass_through and names != [STDIN]:
        raise typer.BadParameter("needs - as the only path. Pass the template by standard input.", param_hint="PATH")
    try:
        version = parse_version(oap_version) if oap_version else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--oap-version") from error
    stdin = BytesIO(sys.stdin.buffer.read()) if pass_through else sys.stdin.buffer
    try:
        configs = load_config(config, {}).backends if config else None
        with _without_garbage_collection():
            report = asyncio.run(_lint(names, stdin, LintContext(plugin_name, oap_version=version), configs))
    except (ConfigError, FileNotFoundError) as error:
        for line in str(error).splitlines():
            typer.echo(f"skywalking-provider: {printable_line(line)}", err=True)
        raise typer.Exit(_USAGE_ERROR) from error
    _write(report, output, sys.stderr if pass_through else sys.stdout)
    if _is_failure(report, fail_on):
        raise typer.Exit(_FINDINGS)
    if isinstance(stdin, BytesIO):
        sys.stdout.buffer.write(stdin.getvalue())
        sys.stdout.flush()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Stop the collector of cycles. It would search all documents, which are kept to the end, again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _lint(
    names: list[str], stdin: BinaryIO, context: LintContext, configs: dict[str, BackendConfig] | None
) -> LintReport:
    async with AsyncExitStack() as stack:
        if configs is not None:
            context = replace(context, backends=await stack.enter_async_context(open_configured(configs)))
        prober = await stack.enter_async_context(Prober())
        return await Linter(prober, context).lint(read_sources(names, stdin))


def _write(report: LintReport, output: LintOutput, stream: TextIO) -> None:
    match output:
        case LintOutput.HUMAN:
            console = Console(highlight=False, soft_wrap=True, file=stream)
            _print(console, format_findings(report, console.width if console.is_terminal else _WIDTH))
            _print(console, [*format_skipped(report), format_summary(report)])
        case LintOutput.JSON:
            _write_json(build_lint_json(report), stream)
        case LintOutput.SARIF:
            _write_json(build_sarif(report), stream)
        case LintOutput.GITHUB:
            for line in format_github_commands(report):
                typer.echo(printable_line(line), file=stream)


def _write_json(content: dict[str, Any], stream: TextIO) -> None:
    text = json.dumps(printable_values(content), indent=2, ensure_ascii=False)
    typer.echo(escape_unprintable_json(text), file=stream)


def _print(console: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        line.plain = printable_line(line.plain)
        console.print(line)


def _is_failure(report: LintReport, fail_on: FailOn) -> bool:
    if fail_on is FailOn.NEVER:
        return False
    least = Severity(fail_on.value).rank
    return any(one.severity.rank >= least for one in report.findings)
