"""Command `skywalking-provider doctor`: checks configuration, service, backends and bridge, with hints."""

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
from skywalking_provider.support.printable import escape_unprintable_json, replace_unprintable
from skywalking_provider.tools.doctor.check_backend import check_backend
from skywalking_provider.tools.doctor.check_bridge import check_bridge
from skywalking_provider.tools.doctor.check_config import check_config
from skywalking_provider.tools.doctor.check_service import Certificates, check_service, skipped_section
from skywalking_provider.tools.doctor.findings import USAGE, Section, doctor_exit_code, problem
from skywalking_provider.tools.doctor.report import build_doctor_json, format_sections


class DoctorOutput(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"


class Area(StrEnum):
    """Checks that can be skipped."""

    SERVICE = "service"
    BACKENDS = "backends"


def doctor_command(
    *,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", envvar="SWP_CONFIG_FILE", help="YAML file of the service.")
    ] = None,
    socket: Annotated[
        Path | None, typer.Option(help="Socket of the service; by default that of the configuration.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="host:port of the service, as for the bridge.")] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="CA of the service, as --tls-ca of the bridge.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Client certificate, as --tls-cert of the bridge.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Key of the certificate, as --tls-key of the bridge.")] = None,
    tls_server_name: Annotated[
        str | None, typer.Option(help="Name in the certificate of the service, as --tls-server-name of the bridge.")
    ] = None,
    bridge_path: Annotated[Path | None, typer.Option("--bridge", help="Bridge binary to check.")] = None,
    skip: Annotated[list[Area] | None, typer.Option(help="Checks to skip; repeatable.")] = None,
    output: Annotated[DoctorOutput, typer.Option("--output", "-o", help="Output format.")] = DoctorOutput.TEXT,
) -> None:
    """Check everything between a controller and its OAPs, with a hint for each problem.

    Reads the configuration as serve does, and changes nothing.

    Exit codes: 0 no problems (notes are allowed), 1 a problem, 2 wrong usage or an unreadable configuration, 3 a
    backend is unreachable.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    files = [tls_ca, tls_cert, tls_key]
    if any(files) and not all((*files, address)):
        raise typer.BadParameter("write --address, --tls-ca, --tls-cert and --tls-key together", param_hint="--tls-ca")
    if socket and address:
        raise typer.BadParameter("write one of --socket and --address", param_hint="--socket")
    certificates = Certificates(tls_ca, tls_cert, tls_key, tls_server_name) if tls_ca and tls_cert and tls_key else None
    source = str(config or "environment")
    try:
        loaded = load_config(config, {"socket": str(socket) if socket else None})
    except ConfigError as error:
        finding = problem(str(error), "Correct the configuration; nothing else was checked")
        _show([Section("configuration", source, (finding,))], output)
        raise typer.Exit(USAGE) from error
    checks = _section_checks(loaded, address, certificates, bridge_path, skip or [])
    sections = [check_config(loaded, source), *asyncio.run(_run_all(checks))]
    if loaded.listen and loaded.tls and not address and Area.SERVICE not in (skip or []):
        sections.insert(1, skipped_section(loaded.listen))
    redactor = redactor_for(loaded.backends.values())
    sections = [section.redacted(redactor) for section in sections]
    _show(sections, output)
    raise typer.Exit(doctor_exit_code(sections))


def _section_checks(
    config: Config, address: str | None, certificates: Certificates | None, bridge_path: Path | None, skip: list[Area]
) -> list[Coroutine[Any, Any, Section]]:
    checks: list[Coroutine[Any, Any, Section]] = []
    listens = address or (config.listen if config.tls is None else None)
    if Area.SERVICE not in skip and (address or config.socket or listens):
        checks.append(check_service(None if address else config.socket, listens, certificates))
    if bridge_path:
        checks.append(check_bridge(bridge_path))
    if Area.BACKENDS not in skip:
        checks += [check_backend(name, one) for name, one in config.backends.items()]
    return checks


async def _run_all(checks: list[Coroutine[Any, Any, Section]]) -> list[Section]:
    return await asyncio.gather(*checks)


def _show(sections: list[Section], output: DoctorOutput) -> None:
    if output is DoctorOutput.JSON:
        typer.echo(escape_unprintable_json(json.dumps(build_doctor_json(sections), indent=2, ensure_ascii=False)))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in format_sections(sections):
        line.plain = replace_unprintable(line.plain)
        console.print(line)
