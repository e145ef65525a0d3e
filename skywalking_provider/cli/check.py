"""`skywalking-provider check`: measure every metric of a template once, now."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.text import Text

from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.cli.inputs import (
    ArgumentFlags,
    ConfigFile,
    MetricNames,
    OapAddress,
    RunNamespace,
    TemplateFiles,
    load_backend_config,
    read_files,
)
from skywalking_provider.config import BackendConfig, ConfigError, PageConfig
from skywalking_provider.oap.transport.credentials import redactor_for
from skywalking_provider.support.printable import escape_unprintable_json, printable_line
from skywalking_provider.support.redaction import redact_json
from skywalking_provider.tools.check.json_report import build_check_json
from skywalking_provider.tools.check.other_objects import describe_other_objects
from skywalking_provider.tools.check.recording import open_recording_backends
from skywalking_provider.tools.check.runner import CheckResult, ExitCode, measure, worst_exit_code
from skywalking_provider.tools.check.selection import MetricToCheck, SkippedMetric, select_metrics
from skywalking_provider.tools.check.template import ParsedFile, Template, TemplateError, require_templates
from skywalking_provider.tools.check.template_args import check_names, parse_arg_flags
from skywalking_provider.tools.check.text_report import (
    LABEL_WIDTH,
    build_sections,
    describe_skipped,
    format_heading,
    format_skipped,
    format_summary,
)

_WIDTH = 100  # columns of a chart without a terminal


class CheckOutput(StrEnum):
    """Output format."""

    HUMAN = "human"
    WIDE = "wide"
    JSON = "json"


def check_command(
    context: typer.Context,
    *,
    filenames: TemplateFiles,
    config: ConfigFile = None,
    address: OapAddress = None,
    arguments: ArgumentFlags = None,
    metrics: MetricNames = None,
    namespace: RunNamespace = None,
    output: Annotated[
        CheckOutput, typer.Option("--output", "-o", help="wide adds the responses; json is for programs.")
    ] = CheckOutput.HUMAN,
    plugin_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the plugin in Argo's configuration.")
    ] = "skywalking/metrics",
) -> None:
    """Measure every metric of a template once, now, and show how its verdict is decided.

    The service's engine measures a real OAP. It does not wait for data, and changes nothing. Backends come from
    --config and the environment as for serve, or from --address. There is no run, so `since: run` has no effect.

    The exit code is that of the worst metric: 1 Failed, 2 Error or wrong usage, 3 OAP unavailable or not usable,
    4 Inconclusive or no data yet, 0 Successful.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    source = context.get_parameter_source("config")
    if address and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("cannot be combined with --config. Set one of them", param_hint="--address")
    try:
        arg_values = parse_arg_flags(arguments or ())
        files = read_files(list(dict.fromkeys(filenames)))
        templates = require_templates(files)
        check_names(arg_values, templates)
        targets, skipped = select_metrics(templates, arg_values, metrics or (), plugin_name)
        loaded = load_backend_config(config, address) if targets else None
        backends = loaded.backends if loaded else {}
    except (TemplateError, ConfigError) as error:
        for line in str(error).splitlines():
            typer.echo(f"skywalking-provider: {printable_line(line)}", err=True)
        raise typer.Exit(ExitCode.ERROR) from error
    results = asyncio.run(
        _measure(targets, backends, loaded.page if loaded else None, namespace, any_name=address is not None)
    )
    redact = redactor_for(backends.values())
    others = [] if metrics else list(_describe_others(files))
    if output is CheckOutput.JSON:
        for line in (*(f"{one.template.location}: {describe_skipped(one)}" for one in skipped), *others):
            typer.echo(printable_line(line), err=True)
        text = json.dumps(redact_json([build_check_json(one) for one in results], redact), indent=2, ensure_ascii=False)
        typer.echo(escape_unprintable_json(text))
    else:
        _show(templates, results, skipped, others, redact, wide=output is CheckOutput.WIDE)
    if not results:
        typer.echo(f"skywalking-provider: no metric uses the plugin {plugin_name}. Set --plugin-name", err=True)
        raise typer.Exit(ExitCode.ERROR)
    raise typer.Exit(worst_exit_code(one.exit_code for one in results))


def _describe_others(files: Sequence[ParsedFile]) -> Iterator[str]:
    known = frozenset(template.name for file in files for template in file.templates)
    for file in files:
        yield from (f"{file.file}: {line}" for line in describe_other_objects(file.others, known))


async def _measure(
    targets: Sequence[MetricToCheck],
    backends: dict[str, BackendConfig],
    page: PageConfig | None,
    namespace: str | None,
    *,
    any_name: bool,
) -> list[CheckResult]:
    """Measure one metric after another, so that the duration of each is its own."""
    if not targets:
        return []
    details = page is not None and page.cause_details
    async with (
        open_condition_evaluator() as evaluator,
        open_recording_backends(backends, any_name=any_name, cause_details=details) as recording,
    ):
        return [await measure(target, recording, evaluator, namespace=namespace) for target in targets]


def _show(
    templates: Sequence[Template],
    check_results: Sequence[CheckResult],
    skipped: Sequence[SkippedMetric],
    others: Sequence[str],
    redact: Callable[[str], str],
    *,
    wide: bool,
) -> None:
    def show(*lines: Text) -> None:
        _print(console, redact, *lines)

    console = Console(highlight=False, soft_wrap=True)
    width = (console.width if console.is_terminal else _WIDTH) - LABEL_WIDTH
    for template in templates:
        measured = [one for one in check_results if one.target.template is template]
        ignored = [one for one in skipped if one.template is template]
        if not measured and not ignored:
            continue
        title = (
            Text().append(f"{template.kind} {template.name}", style="bold").append(f"  {template.file}", style="dim")
        )
        show(title)
        for one in measured:
            show(Text(), format_heading(one))
            for label, lines in build_sections(one, width, wide=wide):
                for line in lines:
                    line.plain = printable_line(redact(line.plain))  # before it is wrapped: a secret must not be split
                show(*_wrap_section(console, label, lines, width))
        if ignored:
            show(Text(), *map(format_skipped, ignored))
        show(Text())
    if others:
        show(*(Text(f"- {line}", style="dim") for line in others), Text())
    show(format_summary(check_results, skipped))


def _wrap_section(console: Console, label: str, lines: Sequence[Text], width: int) -> Iterator[Text]:
    """Wrap long lines at a terminal. Elsewhere they stay whole, for grep."""
    left = f"  {label}"
    for line in lines:
        for piece in line.wrap(console, width) if console.is_terminal and len(line) > width else [line]:
            piece.rstrip()
            yield Text().append(left.ljust(LABEL_WIDTH), style="dim").append_text(piece)
            left = ""


def _print(console: Console, redact: Callable[[str], str], *lines: Text) -> None:
    """Print lines as printable text without credentials, which an OAP or a template may contain."""
    for line in lines:
        line.plain = printable_line(redact(line.plain))
        console.print(line)
