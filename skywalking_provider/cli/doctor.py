"""`skywalking-provider doctor`: looks at configuration, service, backends and bridge, and says what to do."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console

from skywalking_provider.config import Config, ConfigError, load_config
from skywalking_provider.doctor.backend import backend
from skywalking_provider.doctor.bridge import bridge
from skywalking_provider.doctor.configuration import configuration
from skywalking_provider.doctor.findings import USAGE, Section, code_of, problem
from skywalking_provider.doctor.report import lines_of, object_of
from skywalking_provider.doctor.service import Certificates, service, unasked
from skywalking_provider.oap.credentials import mask_of


class Output(StrEnum):
    """How the findings are shown."""

    TEXT = "text"
    JSON = "json"


class Area(StrEnum):
    """What is looked at."""

    SERVICE = "service"
    BACKENDS = "backends"


def doctor_command(
    *,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", envvar="SWP_CONFIG_FILE", help="The service's YAML file.")
    ] = None,
    socket: Annotated[Path | None, typer.Option(help="Socket of the service, if not the configuration's.")] = None,
    address: Annotated[str | None, typer.Option(help="host:port of the service, as the bridge has it.")] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="As the bridge's --tls-ca, for --address.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="As the bridge's --tls-cert.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="As the bridge's --tls-key.")] = None,
    tls_server_name: Annotated[str | None, typer.Option(help="As the bridge's --tls-server-name.")] = None,
    bridge_path: Annotated[Path | None, typer.Option("--bridge", help="Binary of the bridge to look at.")] = None,
    skip: Annotated[list[Area] | None, typer.Option(help="What not to look at; may be repeated.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to show it.")] = Output.TEXT,
) -> None:
    """Look at everything between a controller and its OAPs, and say what to do about what is wrong.

    Reads the configuration as serve does, and changes nothing anywhere.

    Ends with 0 where all is well (notes are fine), 1 with a problem, 2 for wrong use or a configuration that cannot be
    read, 3 where a backend cannot be reached.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    given = [tls_ca, tls_cert, tls_key]
    if any(given) and not all((*given, address)):
        raise typer.BadParameter("write --address, --tls-ca, --tls-cert and --tls-key together", param_hint="--tls-ca")
    if socket and address:
        raise typer.BadParameter("write one of --socket and --address", param_hint="--socket")
    certificates = Certificates(tls_ca, tls_cert, tls_key, tls_server_name) if tls_ca and tls_cert and tls_key else None
    source = str(config or "environment")
    try:
        loaded = load_config(config, {"socket": str(socket) if socket else None})
    except ConfigError as error:
        wrong = problem(str(error), "mend the configuration; nothing else was looked at")
        _show([Section("configuration", source, (wrong,))], output)
        raise typer.Exit(USAGE) from error
    looks = _looks(loaded, address, certificates, bridge_path, skip or [])
    sections = [configuration(loaded, source), *asyncio.run(_all(looks))]
    if loaded.listen and loaded.tls and not address and Area.SERVICE not in (skip or []):
        sections.insert(1, unasked(loaded.listen))
    mask = mask_of(loaded.backends.values())
    sections = [section.masked(mask) for section in sections]
    _show(sections, output)
    raise typer.Exit(code_of(sections))


def _looks(
    config: Config, address: str | None, certificates: Certificates | None, bridge_path: Path | None, skip: list[Area]
) -> list[Coroutine[Any, Any, Section]]:
    looks: list[Coroutine[Any, Any, Section]] = []
    listens = address or (config.listen if config.tls is None else None)
    if Area.SERVICE not in skip and (address or config.socket or listens):
        looks.append(service(None if address else config.socket, listens, certificates))
    if bridge_path:
        looks.append(bridge(bridge_path))
    if Area.BACKENDS not in skip:
        looks += [backend(name, one) for name, one in config.backends.items()]
    return looks


async def _all(looks: list[Coroutine[Any, Any, Section]]) -> list[Section]:
    return await asyncio.gather(*looks)


def _show(sections: list[Section], output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(object_of(sections), indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in lines_of(sections):
        console.print(line)
