"""`skywalking-provider suggest`: write an analysis template from the measured past of a service."""

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer

from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.cli.inputs import ConfigFile, OapAddress, load_backends
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
from skywalking_provider.support.printable import printable_line
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.backtest.chunk_cache import default_folder
from skywalking_provider.tools.backtest.model import BacktestError
from skywalking_provider.tools.check.recording import SingleBackendRegistry
from skywalking_provider.tools.suggest.model import DEFAULT_WEIGHT, NoTrafficError, SuggestError, SuggestOptions
from skywalking_provider.tools.suggest.rollout_edit import build_diff
from skywalking_provider.tools.suggest.runner import Manifest, Suggestion, suggest_template

_USAGE_ERROR, _BACKEND_ERROR, _NO_TRAFFIC = 2, 3, 4
_NAME: Final = "[a-z0-9]([-a-z0-9.]*[a-z0-9])?"


def suggest_command(
    context: typer.Context,
    *,
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="Name of the service in SkyWalking.")],
    layer: Annotated[
        str | None, typer.Option(metavar="LAYER", help="Layer of the service, if several services have the name.")
    ] = None,
    rollout: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Manifest of the Rollout; a diff with the analysis is shown.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", "-w", help="Write the analysis into the Rollout's file.")] = False,
    thresholds: Annotated[
        bool, typer.Option("--thresholds", help="Write thresholds in place of judged blocks.")
    ] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Write a second template, for a background analysis.")
    ] = False,
    weight: Annotated[
        float, typer.Option(min=1, max=99, metavar="PERCENT", help="Canary's share of the calls, without --rollout.")
    ] = DEFAULT_WEIGHT,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="Length of the past, such as 7d or 36h; 30d at most.")
    ] = "24h",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the template. Default: made of the service's.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Namespace of the template. Default: the Rollout's.")
    ] = None,
    config: ConfigFile = None,
    address: OapAddress = None,
    backend: Annotated[
        str | None, typer.Option(metavar="NAME", help="Backend of the service, if the configuration has several.")
    ] = None,
    max_requests: MaxRequests = 2,
    cache: CacheFolder = None,
    no_cache: NoCache = False,
    plugin_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the plugin in Argo's configuration.")
    ] = "skywalking/metrics",
) -> None:
    """Write an AnalysisTemplate for a service, with the measured reasons as comments.

    Reads the service's pods, calls, failures and latencies of the past from the OAP, and backtests the template on
    them. The template is judged, unless --thresholds is set. Advice and diffs go to standard error, so that the output
    can be piped to lint and check.

    Exit codes: 0 a template was written, 2 wrong usage, or the OAP does not know the service, 3 the OAP cannot be read,
    4 the service has no calls.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    source = context.get_parameter_source("config")
    if address and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("cannot be combined with --config. Set one of them", param_hint="--address")
    if write and rollout is None:
        raise typer.BadParameter("needs --rollout. Pass the file of the Rollout", param_hint="--write")
    if name is not None and not re.fullmatch(_NAME, name):
        raise typer.BadParameter(
            f"is {name!r}, must be a name for Kubernetes. Write lower case letters, digits, - and .",
            param_hint="--name",
        )
    options = SuggestOptions(
        service=service,
        since=parse_history(since),
        layer=layer,
        backend=backend,
        namespace=namespace,
        name=name,
        thresholds=thresholds,
        background=background,
        weight=weight,
        plugin=plugin_name,
        max_requests=max_requests,
        cache=cache or default_folder(),
        rollout=rollout is not None,
    )
    try:
        backends = load_backends(config, address)
        options = _with_backend(options, backends)
        manifest = _read_manifest(rollout)
    except (ConfigError, SuggestError) as error:
        raise _exit_with(str(error), _USAGE_ERROR) from error
    redact = redactor_for(backends.values())
    try:
        with _open_cache(options, keep=not no_cache) as with_cache:
            suggestion = asyncio.run(_suggest(with_cache, manifest, backends, any_name=address is not None))
    except NoTrafficError as error:
        raise _exit_with(redact(str(error)), _NO_TRAFFIC) from error
    except (BacktestError, BackendUnavailableError) as error:
        raise _exit_with(redact(str(error)), _BACKEND_ERROR) from error
    except SuggestError as error:
        raise _exit_with(redact(str(error)), _USAGE_ERROR) from error
    except ProviderError as error:
        raise _exit_with(redact(f"{error.reason} {error}"), _USAGE_ERROR) from error
    typer.echo(redact(suggestion.template), nl=False)
    _explain(suggestion, manifest, written=write)
    if write and rollout and suggestion.manifest is not None:
        _write(rollout, suggestion.manifest)


async def _suggest(
    options: SuggestOptions, manifest: Manifest | None, configs: Mapping[str, BackendConfig], *, any_name: bool
) -> Suggestion:
    limited = limit_requests(configs, options.max_requests)
    async with (
        open_condition_evaluator() as evaluator,
        open_backends(limited, lambda: datetime.now(UTC)) as opened,
    ):
        registry = SingleBackendRegistry(opened) if any_name else opened
        with show_progress() as progress:
            return await suggest_template(
                options, manifest, registry, limited, evaluator, progress, lambda: datetime.now(UTC)
            )


def _with_backend(options: SuggestOptions, configs: Mapping[str, BackendConfig]) -> SuggestOptions:
    """Return the options with the backend of the service.

    Raises:
        SuggestError: The backend does not exist, or one of several is not chosen.
    """
    names = ", ".join(sorted(configs))
    if options.backend is None:
        if len(configs) > 1:
            raise SuggestError(
                f"--backend is missing: the configuration has several backends. Set it to one of {names}"
            )
        return options
    if options.backend not in configs:
        raise SuggestError(
            f"--backend: {options.backend!r} is not in the configuration."
            f" {did_you_mean(options.backend, configs, 'backends')}"
        )
    return replace(options, writes_backend=True)


def _read_manifest(file: Path | None) -> Manifest | None:
    if file is None:
        return None
    try:
        return Manifest(str(file), file.read_bytes().decode())
    except OSError as error:
        raise SuggestError(
            f"--rollout: {file} cannot be read: {error.strerror}. Pass the Rollout's manifest"
        ) from error
    except UnicodeDecodeError as error:
        raise SuggestError(f"--rollout: {file} is not UTF-8. Convert it first") from error


@contextmanager
def _open_cache(options: SuggestOptions, *, keep: bool) -> Iterator[SuggestOptions]:
    """Yield the options with a folder for responses: survey and backtests read the same ones."""
    if keep:
        yield options
        return
    with tempfile.TemporaryDirectory(prefix="skywalking-suggest-") as folder:
        yield replace(options, cache=Path(folder))


def _explain(suggestion: Suggestion, manifest: Manifest | None, *, written: bool) -> None:
    """Print the diff, the advice and how to try the template to standard error."""
    if manifest and suggestion.manifest is not None and not written:
        _print(build_diff(manifest.text, suggestion.manifest, manifest.file))
    _print(f"- {one}" for one in suggestion.advice)
    if len(suggestion.versions) >= len(suggestion.arguments):
        pairs = zip(suggestion.arguments, suggestion.versions, strict=False)
        _print(
            [" ".join(["try it: skywalking-provider check -f TEMPLATE", *(f"-a {name}={one}" for name, one in pairs)])]
        )


def _write(file: Path, text: str) -> None:
    try:
        file.write_bytes(text.encode())
    except OSError as error:
        message = f"--write: {file} cannot be written: {error.strerror}. Change its permissions, or leave out --write"
        raise _exit_with(message, _USAGE_ERROR) from error


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(printable_line(line), err=True)


def _exit_with(message: str, code: int) -> typer.Exit:
    """Print an error. Return the exit of the command."""
    _print(f"skywalking-provider: {line}" for line in message.splitlines())
    return typer.Exit(code)
