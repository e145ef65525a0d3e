"""Command `skywalking-provider mock-oap`: serves a mock OAP to try templates without a cluster."""

import asyncio
import signal
from typing import Annotated

import typer

from skywalking_provider.mock_oap import Fault, FaultError, FaultKind, MockOap, shipped_scenarios
from skywalking_provider.mock_oap.versions import OAP_VERSIONS


def mock_oap_command(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Address to listen on; port 0 selects a free one.")
    ] = "127.0.0.1:12800",
    scenario: Annotated[
        str, typer.Option(metavar="NAME|FILE", help=f"YAML file, or one of {', '.join(shipped_scenarios())}.")
    ] = "healthy-canary",
    oap_version: Annotated[
        str, typer.Option(metavar="VERSION", help=f"OAP version to imitate: {', '.join(OAP_VERSIONS)}.")
    ] = "10.1.0",
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Time zone of the OAP: +0800, -0330 or an IANA name.")
    ] = "+0000",
    speed: Annotated[
        float, typer.Option(metavar="FACTOR", help="Factor by which the clock of the OAP runs faster.")
    ] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:KEY=VALUE,...]",
            help=f"Fault to enable at the start, e.g. status:status=503,times=3; repeatable: {', '.join(FaultKind)}.",
        ),
    ] = None,
) -> None:
    """Serve a mock OAP until interrupted.

    While it runs, POST /mock/faults enables a fault ({"kind": "status", "status": 503, "times": 3}),
    DELETE /mock/faults disables all faults, and GET /mock/requests lists the received requests.
    """
    host, separator, port = listen.rpartition(":")
    if not separator or not port.isdigit():
        raise typer.BadParameter(f"{listen!r} is not HOST:PORT. Write it like 127.0.0.1:12800.", param_hint="--listen")
    try:
        faults = [Fault.parse(text) for text in fault or ()]
    except FaultError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from error
    asyncio.run(_serve(host.strip("[]"), int(port), scenario, oap_version, timezone, speed, faults))


async def _serve(
    host: str, port: int, scenario: str, version: str, timezone: str, speed: float, faults: list[Fault]
) -> None:
    try:
        oap = MockOap(scenario, version=version, timezone=timezone, speed=speed, faults=faults, host=host, port=port)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        await oap.start()
    except OSError as error:
        typer.echo(
            f"Error: cannot listen on {host}:{port}: {error.strerror}. Choose another port with --listen.", err=True
        )
        raise typer.Exit(1) from error
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    typer.echo(f"mock OAP {version} ({scenario}) ready at {oap.url}")
    try:
        await stop.wait()
    finally:
        await oap.stop()
