"""`skywalking-provider check`: one real measurement of every metric of a template, now."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.text import Text

from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.config import BackendConfig, ConfigError, load_config
from skywalking_provider.oap.transport.credentials import redactor_for
from skywalking_provider.support.redaction import redact_json
from skywalking_provider.tools.check.json_report import build_check_json
from skywalking_provider.tools.check.outcome import ERROR, exit_code, worst_exit_code
from skywalking_provider.tools.check.recording import open_recording_backends
from skywalking_provider.tools.check.runner import CheckResult, measure
from skywalking_provider.tools.check.selection import MetricToCheck, SkippedMetric, select_metrics
from skywalking_provider.tools.check.template import Template, TemplateError, parse_templates
from skywalking_provider.tools.check.template_args import check_names, parse_arg_flags
from skywalking_provider.tools.check.text_report import (
    LABEL_WIDTH,
    build_sections,
    format_heading,
    format_skipped,
    format_summary,
)

_WIDTH = 100  # of a chart where there is no terminal
_ADDRESS = "default"
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\ufffd")  # rich lets some through to the terminal
_CONTROLS_IN_JSON = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}  # those that JSON itself does not escape


class CheckOutput(StrEnum):
    """How the metrics are shown."""

    HUMAN = "human"
    WIDE = "wide"
    JSON = "json"


def check_command(
    context: typer.Context,
    *,
    filenames: Annotated[
        list[str], typer.Option("--filename", "-f", metavar="FILE", help="Template; - is stdin; may be repeated.")
    ],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", envvar="SWP_CONFIG_FILE", help="YAML file with the backends.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask this OAP instead, whatever backend or address the metrics name."),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Option("--arg", "-a", metavar="NAME=VALUE", help="An argument; may be repeated.")
    ] = None,
    metrics: Annotated[
        list[str] | None, typer.Option("--metric", "-m", metavar="NAME", help="Only this metric; may be repeated.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Whose run asks; by default the template's, else default."),
    ] = None,
    output: Annotated[CheckOutput, typer.Option("--output", "-o", help="wide: with raw answers.")] = CheckOutput.HUMAN,
    plugin_name: Annotated[
        str, typer.Option(metavar="NAME", help="The plugin's name in Argo's configuration.")
    ] = "skywalking/metrics",
) -> None:
    """Measure every metric of a template once, now, and show how the verdict comes about.

    The service's own engine asks a real OAP; nothing is waited for, and nothing is written anywhere. Backends come
    from --config and the environment as for serve, or from --address. There is no run: `since: run` cuts nothing off.

    Ends with the worst of the metrics: 1 Failed, 2 wrong use or Error, 3 the OAP does not answer as it should,
    4 no data yet or Inconclusive, 0 Successful.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    source = context.get_parameter_source("config")
    if address and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("cannot go with --config; write one of them", param_hint="--address")
    try:
        given = parse_arg_flags(arguments or ())
        templates = _read_templates(list(dict.fromkeys(filenames)))
        check_names(given, templates)
        questions, skipped = select_metrics(templates, given, metrics or (), plugin_name)
        backends = _load_backends(config, address) if questions else {}
    except (TemplateError, ConfigError) as error:
        for line in str(error).splitlines():
            typer.echo(f"skywalking-provider: {line}", err=True)
        raise typer.Exit(ERROR) from error
    checked = asyncio.run(_measure(questions, backends, namespace, any_name=address is not None))
    mask = redactor_for(backends.values())
    if output is CheckOutput.JSON:
        for one in skipped:
            typer.echo(f"{one.template.location}: {format_skipped(one).plain.removeprefix('- ')}", err=True)
        text = json.dumps(redact_json([build_check_json(one) for one in checked], mask), indent=2, ensure_ascii=False)
        typer.echo(text.translate(_CONTROLS_IN_JSON))
    else:
        _show(templates, checked, skipped, mask, wide=output is CheckOutput.WIDE)
    if not checked:
        typer.echo(f"skywalking-provider: no metric of the plugin {plugin_name} to measure", err=True)
        raise typer.Exit(ERROR)
    raise typer.Exit(worst_exit_code(exit_code(one) for one in checked))


def _read_templates(files: list[str]) -> list[Template]:
    """The templates of all files, or all that is wrong with them."""
    templates: list[Template] = []
    wrong: list[str] = []
    for file in files:
        try:
            text = (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode()
            templates += parse_templates(text, "stdin" if file == "-" else file)
        except OSError as error:
            wrong.append(f"{file}: cannot be read ({error.strerror})")
        except UnicodeDecodeError:
            wrong.append(f"{file}: is not UTF-8")
        except TemplateError as error:
            wrong += error.lines
    if wrong:
        raise TemplateError(*wrong)
    return templates


def _load_backends(config: Path | None, address: str | None) -> dict[str, BackendConfig]:
    if address is None:
        try:
            return load_config(config, {}).backends
        except ConfigError as error:
            raise ConfigError(f"{error}; or name an OAP by --address") from error
    # The environment may say how that backend is asked (credentials, timeouts), as for serve.
    loaded = load_config(None, {"backends": {_ADDRESS: {"url": address}}})
    return {_ADDRESS: loaded.backends[_ADDRESS]}


async def _measure(
    targets: Sequence[MetricToCheck], backends: dict[str, BackendConfig], namespace: str | None, *, any_name: bool
) -> list[CheckResult]:
    """One after another: each is shown with the time that it took."""
    if not targets:
        return []
    async with (
        open_condition_evaluator() as languages,
        open_recording_backends(backends, any_name=any_name) as recorded,
    ):
        return [await measure(question, recorded, languages, namespace=namespace) for question in targets]


def _show(
    templates: Sequence[Template],
    check_results: Sequence[CheckResult],
    skipped: Sequence[SkippedMetric],
    redact: Callable[[str], str],
    *,
    wide: bool,
) -> None:
    def show(*lines: Text) -> None:
        _print(console, redact, *lines)

    console = Console(highlight=False, soft_wrap=True)
    width = (console.width if console.is_terminal else _WIDTH) - LABEL_WIDTH
    for template in templates:
        ours = [one for one in check_results if one.target.template is template]
        others = [one for one in skipped if one.template is template]
        if not ours and not others:
            continue
        title = (
            Text().append(f"{template.kind} {template.name}", style="bold").append(f"  {template.file}", style="dim")
        )
        show(title)
        for one in ours:
            show(Text(), format_heading(one))
            for label, lines in build_sections(one, width, wide=wide):
                for line in lines:
                    line.plain = redact(line.plain)  # before a terminal's width parts it
                show(*_wrap_section(console, label, lines, width))
        if others:
            show(Text(), *map(format_skipped, others))
        show(Text())
    show(format_summary(check_results, skipped))


def _wrap_section(console: Console, label: str, lines: Sequence[Text], width: int) -> Iterator[Text]:
    """At a terminal long lines go on below, elsewhere they stay whole: for grep."""
    left = f"  {label}"
    for line in lines:
        for piece in line.wrap(console, width) if console.is_terminal and len(line) > width else [line]:
            piece.rstrip()
            yield Text().append(left.ljust(LABEL_WIDTH), style="dim").append_text(piece)
            left = ""


def _print(console: Console, redact: Callable[[str], str], *lines: Text) -> None:
    """Nothing that an OAP or a template says moves the cursor, and no credentials that an OAP repeats are shown."""
    for line in lines:
        line.plain = redact(line.plain.translate(_CONTROLS))
        console.print(line)
