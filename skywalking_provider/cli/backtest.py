"""`skywalking-provider backtest`: replay the analysis of a template over past minutes."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import structlog
import typer

from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.cli.backtest_output import BacktestOutput, check_html, show, write_html
from skywalking_provider.cli.inputs import (
    ArgumentFlags,
    ConfigFile,
    MetricNames,
    OapAddress,
    RunNamespace,
    TemplateFiles,
    load_backends,
    read_files,
)
from skywalking_provider.cli.past_minutes import (
    CacheFolder,
    MaxRequests,
    NoCache,
    limit_requests,
    parse_history,
    show_progress,
)
from skywalking_provider.config import BackendConfig, ConfigError
from skywalking_provider.errors import BackendUnavailableError, ProviderError
from skywalking_provider.oap import open_backends
from skywalking_provider.oap.transport.credentials import redactor_for
from skywalking_provider.support.durations import parse_duration
from skywalking_provider.support.printable import printable_line
from skywalking_provider.tools.backtest.chunk_cache import default_folder
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.injection import Injection, parse_injection
from skywalking_provider.tools.backtest.model import (
    Backtest,
    BacktestError,
    BacktestOptions,
    SplitOptions,
)
from skywalking_provider.tools.backtest.runner import TemplateBacktest
from skywalking_provider.tools.check.recording import SingleBackendRegistry
from skywalking_provider.tools.check.template import Template, TemplateError, require_templates
from skywalking_provider.tools.check.template_args import check_names, parse_arg_flags

_USAGE_ERROR, _BACKEND_ERROR = 2, 3


def backtest_command(
    context: typer.Context,
    *,
    filenames: TemplateFiles,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="Length of the history, such as 7d or 36h; 30d at most.")
    ] = "7d",
    config: ConfigFile = None,
    address: OapAddress = None,
    arguments: ArgumentFlags = None,
    metrics: MetricNames = None,
    namespace: RunNamespace = None,
    length: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Length of a run. Default: that of the metrics; 30m without a count."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Time between the starts of runs. Default: the length of a run."),
    ] = None,
    max_requests: MaxRequests = 2,
    cache: CacheFolder = None,
    no_cache: NoCache = False,
    aa: Annotated[
        bool, typer.Option("--aa", help="Compare pods of the same version, split at random: every abort is false.")
    ] = False,
    splits: Annotated[int, typer.Option(min=1, max=100_000, metavar="NUMBER", help="With --aa: runs.")] = 300,
    weight: Annotated[
        float, typer.Option(min=1, max=50, metavar="PERCENT", help="With --aa: the canary's share of the calls.")
    ] = 10,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Seed of the splits and of injected failures.")] = 1,
    inject: Annotated[
        list[str] | None,
        typer.Option(metavar="FAULT", help="Add a fault to the canary: errors=+4%, latency=x2, latency=+50ms."),
    ] = None,
    output: Annotated[
        BacktestOutput, typer.Option("--output", "-o", help="json is for programs.")
    ] = BacktestOutput.HUMAN,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with pictures, too. It needs the extra package `report`."),
    ] = None,
    plugin_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the plugin in Argo's configuration.")
    ] = "skywalking/metrics",
) -> None:
    """Replay the analysis of a template over past minutes, and show how often it would have aborted a rollout.

    The service's engine evaluates each run in virtual time, as Argo would have called it: interval, count, limits,
    conditions or judgement, and waiting. The minutes are read from the OAP once, and kept on disk.

    A version that is selected by an argument for podTemplateHash is found in the history: runs of a comparison are
    those of past deploys, and other runs measure the newest version. An argument with a value (-a) is used as it is.

    The exit code is 0 for any outcome, 2 for wrong usage or an invalid template, and 3 if the OAP cannot be read.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    source = context.get_parameter_source("config")
    if address and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("cannot be combined with --config. Set one of them", param_hint="--address")
    options = BacktestOptions(
        since=parse_history(since),
        arg_values={},
        length=_parse_minutes(length, "--length"),
        every=_parse_minutes(every, "--every"),
        namespace=namespace,
        metric_names=metrics or (),
        plugin=plugin_name,
        max_requests=max_requests,
        cache=None if no_cache else cache or default_folder(),
        split=SplitOptions(weight / 100, splits, seed) if aa else None,
        injection=_parse_faults(inject or (), seed),
        pictures=html is not None,
    )
    if html is not None:
        check_html(html)
    try:
        options = options.with_arguments(parse_arg_flags(arguments or ()))
        templates = require_templates(read_files(list(dict.fromkeys(filenames))))
        check_names(options.arg_values, templates)
        backends = load_backends(config, address)
    except (TemplateError, ConfigError) as error:
        raise _exit_with(str(error), _USAGE_ERROR) from error
    try:
        backtests = asyncio.run(_backtest(templates, backends, options, any_name=address is not None))
    except TemplateError as error:
        raise _exit_with(str(error), _USAGE_ERROR) from error
    except (BacktestError, BackendUnavailableError) as error:
        raise _exit_with(redactor_for(backends.values())(str(error)), _BACKEND_ERROR) from error
    except ProviderError as error:
        raise _exit_with(redactor_for(backends.values())(f"{error.reason} {error}"), _USAGE_ERROR) from error
    show(backtests, backends, output)
    if html is not None:
        try:
            write_html(backtests, backends, html)
        except OSError as error:
            raise _exit_with(f"{html} cannot be written: {error.strerror}. Name another file", _USAGE_ERROR) from error


async def _backtest(
    templates: Sequence[Template], configs: Mapping[str, BackendConfig], options: BacktestOptions, *, any_name: bool
) -> list[Backtest]:
    limited = limit_requests(configs, options.max_requests)
    async with (
        open_condition_evaluator() as evaluator,
        open_backends(limited, lambda: datetime.now(UTC)) as opened,
    ):
        registry = SingleBackendRegistry(opened) if any_name else opened
        with show_progress() as progress:
            return [
                await TemplateBacktest(template, registry, limited, evaluator, options, progress).run()
                for template in templates
            ]


def _parse_minutes(text: str | None, name: str) -> timedelta | None:
    if text is None:
        return None
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from error
    if length < MINUTE or length % MINUTE:
        raise typer.BadParameter(f"is {text}, must be in whole minutes. Write 10m, 1h, ...", param_hint=name)
    return length


def _parse_faults(texts: Sequence[str], seed: int) -> Injection | None:
    try:
        return parse_injection(texts, seed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--inject") from error


def _exit_with(message: str, code: int) -> typer.Exit:
    """Print an error. Return the exit of the command."""
    for line in message.splitlines():
        typer.echo(f"skywalking-provider: {printable_line(line)}", err=True)
    return typer.Exit(code)
