"""`skywalking-provider serve`: the service that the bridge asks."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

import skywalking_provider.cli.lean  # noqa: F401 - first: it is for what the others import
from skywalking_provider.config import Config, ConfigError, load_config


def serve_command(
    *,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", envvar="SWP_CONFIG_FILE", help="YAML file with the backends.")
    ] = None,
    socket: Annotated[Path | None, typer.Option(help="Unix socket to serve on.")] = None,
    socket_mode: Annotated[str | None, typer.Option(help='Mode of the socket; by default "0660".')] = None,
    listen: Annotated[str | None, typer.Option(help="host:port to serve on instead of a socket.")] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Allow --listen beyond loopback, without authentication.")
    ] = None,
    drain: Annotated[str | None, typer.Option(help='How long calls may go on after SIGTERM; by default "15s".')] = None,
    http: Annotated[
        str | None, typer.Option(help="host:port of /metrics, /healthz and /readyz; by default off.")
    ] = None,
    page: Annotated[str | None, typer.Option(help="host:port of the page, on loopback; by default off.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console.")] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the effective configuration, secrets masked, and end.")
    ] = False,
) -> None:
    """Serve measurements from SkyWalking to the bridge.

    Flags go before environment (SWP_SOCKET, SWP_LOG__LEVEL, SWP_BACKENDS__NAME__URL, ...; SW_OAP_ADDRESS is the url
    of a backend named default), environment before the file, the file before defaults.
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
    try:
        effective = load_config(config, flags)
        if print_config:
            typer.echo(effective.to_yaml_redacted(), nl=False)
            return
        _serve(effective)
    except ConfigError as error:
        typer.echo(f"skywalking-provider: {error}", err=True)
        raise typer.Exit(2) from error


def _serve(config: Config) -> None:
    import uvloop  # noqa: PLC0415 - only here: whoever only asks needs no quicker loop

    from skywalking_provider.oap.transport.credentials import redactor_for  # noqa: PLC0415 - as below
    from skywalking_provider.server.instrumentation import select_log_processors  # noqa: PLC0415
    from skywalking_provider.server.lifecycle import serve  # noqa: PLC0415
    from skywalking_provider.server.logging import configure_logging  # noqa: PLC0415 - grpc is slow to import

    configure_logging(config.log, redactor_for(config.backends.values()), select_log_processors())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(config))
