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
from skywalking_provider.oap.transport.credentials import redactor_for
from skywalking_provider.tools.doctor.check_backend import check_backend
from skywalking_provider.tools.doctor.check_bridge import check_bridge
from skywalking_provider.tools.doctor.check_config import check_config
from skywalking_provider.tools.doctor.check_service import Certificates, check_service, skipped_section
from skywalking_provider.tools.doctor.findings import USAGE, Section, doctor_exit_code, problem
from skywalking_provider.tools.doctor.report import build_doctor_json, format_sections


class DoctorOutput(StrEnum):
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
    output: Annotated[DoctorOutput, typer.Option("--output", "-o", help="How to show it.")] = DoctorOutput.TEXT,
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
    looks = _section_checks(loaded, address, certificates, bridge_path, skip or [])
    sections = [check_config(loaded, source), *asyncio.run(_run_all(looks))]
    if loaded.listen and loaded.tls and not address and Area.SERVICE not in (skip or []):
        sections.insert(1, skipped_section(loaded.listen))
    mask = redactor_for(loaded.backends.values())
    sections = [section.redacted(mask) for section in sections]
    _show(sections, output)
    raise typer.Exit(doctor_exit_code(sections))


def _section_checks(
    config: Config, address: str | None, certificates: Certificates | None, bridge_path: Path | None, skip: list[Area]
) -> list[Coroutine[Any, Any, Section]]:
    looks: list[Coroutine[Any, Any, Section]] = []
    listens = address or (config.listen if config.tls is None else None)
    if Area.SERVICE not in skip and (address or config.socket or listens):
        looks.append(check_service(None if address else config.socket, listens, certificates))
    if bridge_path:
        looks.append(check_bridge(bridge_path))
    if Area.BACKENDS not in skip:
        looks += [check_backend(name, one) for name, one in config.backends.items()]
    return looks


async def _run_all(checks: list[Coroutine[Any, Any, Section]]) -> list[Section]:
    return await asyncio.gather(*checks)


def _show(sections: list[Section], output: DoctorOutput) -> None:
    if output is DoctorOutput.JSON:
        typer.echo(json.dumps(build_doctor_json(sections), indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in format_sections(sections):
        console.print(line)
