"""Inputs that several commands share: their options, files with templates, and backends."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from skywalking_provider.config import BackendConfig, Config, ConfigError, load_config
from skywalking_provider.tools.check.template import ParsedFile, TemplateError, parse_file

_ADDRESS_BACKEND: Final = "default"

TemplateFiles = Annotated[
    list[str],
    typer.Option("--filename", "-f", metavar="FILE", help="File with templates; - is stdin. May be repeated."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="SWP_CONFIG_FILE", help="YAML file with the backends.")
]
OapAddress = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Read this OAP, regardless of backend and address in the metrics. Excludes --config."
    ),
]
ArgumentFlags = Annotated[
    list[str] | None,
    typer.Option("--arg", "-a", metavar="NAME=VALUE", help="Value of an argument. May be repeated."),
]
MetricNames = Annotated[
    list[str] | None, typer.Option("--metric", "-m", metavar="NAME", help="Use only this metric. May be repeated.")
]
RunNamespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace of the run. Default: the template's, else default.")
]


def read_files(files: list[str]) -> list[ParsedFile]:
    """Return the objects of all files.

    Args:
        files: Names; - is stdin.

    Raises:
        TemplateError: All problems of all files.
    """
    parsed: list[ParsedFile] = []
    problems: list[str] = []
    for file in files:
        try:
            text = (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode()
            parsed.append(parse_file(text, "stdin" if file == "-" else file))
        except OSError as error:
            problems.append(f"{file}: cannot be read ({error.strerror})")
        except UnicodeDecodeError:
            problems.append(f"{file}: is not UTF-8")
        except TemplateError as error:
            problems += error.lines
    if problems:
        raise TemplateError(*problems)
    return parsed


def load_backends(config: Path | None, address: str | None) -> dict[str, BackendConfig]:
    """Load the backends of a configuration, or the only backend at an address. See `load_backend_config`."""
    return load_backend_config(config, address).backends


def load_backend_config(config: Path | None, address: str | None) -> Config:
    """Load a configuration with its backends, or with the only backend at an address.

    Args:
        config: YAML file; None for the environment alone.
        address: Address of an OAP; None for the configuration.

    Raises:
        ConfigError: The configuration is not valid, or has no backend.
    """
    if address is None:
        try:
            return load_config(config, {})
        except ConfigError as error:
            raise ConfigError(f"{error}, or set --address") from error
    # The environment may set credentials and timeouts of that backend, as for serve.
    loaded = load_config(None, {"backends": {_ADDRESS_BACKEND: {"url": address}}})
    return loaded.model_copy(update={"backends": {_ADDRESS_BACKEND: loaded.backends[_ADDRESS_BACKEND]}})
