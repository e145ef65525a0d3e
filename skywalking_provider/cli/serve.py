"""Command `skywalking-provider serve`: starts the service that the bridge calls."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from skywalking_provider.cli.lean_start import (
    import_gql_without_client,
    import_structlog_without_rich,
    without_garbage_collection,
)

_SWITCH_INTERVAL_SECONDS: Final = 0.001
"""Time after which a thread that computes leaves Python's global lock to the event loop. Python's default is 5 ms, and
one measurement waits for the lock several times."""


import_structlog_without_rich()  # before the first module that imports structlog

from skywalking_provider.config import Config, ConfigError, load_config  # noqa: E402
from skywalking_provider.telemetry.log_writer import LogWriter  # noqa: E402
from skywalking_provider.telemetry.stderr import protect_stderr  # noqa: E402


def serve_command(
    *,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", envvar="SWP_CONFIG_FILE", help="Configuration file (YAML).")
    ] = None,
    socket: Annotated[Path | None, typer.Option(help="Path of the unix socket to serve on.")] = None,
    socket_mode: Annotated[str | None, typer.Option(help='Mode of the socket. Default: "0660".')] = None,
    listen: Annotated[str | None, typer.Option(help="TCP address (host:port) to serve on instead of a socket.")] = None,
    insecure: Annotated[
        bool | None,
        typer.Option("--insecure", help="Allow --listen on other addresses than loopback without authentication."),
    ] = None,
    drain: Annotated[str | None, typer.Option(help='Time for calls in flight after SIGTERM. Default: "15s".')] = None,
    http: Annotated[
        str | None, typer.Option(help="Address (host:port) of /metrics, /healthz and /readyz. Default: off.")
    ] = None,
    page: Annotated[
        str | None, typer.Option(help="Address (host:port) of the history page, on loopback. Default: off.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="Log level: debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="Log format: auto, json or console.")] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the effective configuration with secrets redacted, and exit.")
    ] = False,
) -> None:
    """Start the service that measures SkyWalking data for the bridge.

    Precedence: flags, then environment variables, then the configuration file, then defaults. Variables are named
    after their key: SWP_SOCKET, SWP_LOG__LEVEL, SWP_BACKENDS__NAME__URL. SW_OAP_ADDRESS sets the url of a backend
    named default.
    """
    log = {key: value for key, value in (("level", log_level), ("format", log_format)) if value is not None}
    flags: dict[str, Any] = {
        "socket": str(socket) if socket else None,
        "socketMode": socket_mode,
        "listen": listen,
        "insecure": insecure,
        "drain": drain,
        "http": {"listen": http} if http else None,
        "page": {"listen": page} if page else None,
        "log": log or None,
    }
    output = protect_stderr()
    try:
        effective = load_config(config, flags)
        if print_config:
            typer.echo(effective.to_yaml_redacted(), nl=False)
            return
        _serve(effective, output)
    except ConfigError as error:
        output.write(f"skywalking-provider: {error}\n")
        raise typer.Exit(2) from error


def _serve(config: Config, output: LogWriter) -> None:
    with without_garbage_collection():
        import_gql_without_client()
        import uvloop  # noqa: PLC0415 - other commands do not need it

        from skywalking_provider.oap.transport.credentials import redactor_for  # noqa: PLC0415 - as configure_logging
        from skywalking_provider.server.instrumentation import select_log_processors  # noqa: PLC0415
        from skywalking_provider.server.lifecycle import serve  # noqa: PLC0415
        from skywalking_provider.server.logging import configure_logging  # noqa: PLC0415 - imports grpc, which is slow

    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    redact = redactor_for(config.backends.values())
    output.render_loss = configure_logging(config.log, redact, select_log_processors())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(config, lambda: output.lost_lines))
