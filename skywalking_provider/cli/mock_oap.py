"""`skywalking-provider mock-oap`: an OAP to try templates against, without any cluster."""

import asyncio
import signal
from typing import Annotated

import typer

from skywalking_provider.mock_oap import Fault, FaultError, FaultKind, MockOap, shipped_scenarios
from skywalking_provider.mock_oap.versions import OAP_VERSIONS


def mock_oap_command(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:12800",
    scenario: Annotated[
        str, typer.Option(metavar="NAME|FILE", help=f"A YAML file, or one of {', '.join(shipped_scenarios())}.")
    ] = "healthy-canary",
    oap_version: Annotated[
        str, typer.Option(metavar="VERSION", help=f"Answer as this OAP does: {', '.join(OAP_VERSIONS)}.")
    ] = "10.1.0",
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="The OAP's zone: +0800, -0330 or an IANA name.")
    ] = "+0000",
    speed: Annotated[float, typer.Option(metavar="FACTOR", help="The OAP's clock runs so many times as fast.")] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:KEY=VALUE,...]",
            help=f"Something that goes wrong from the start, e.g. status:status=503,times=3: {', '.join(FaultKind)}.",
        ),
    ] = None,
) -> None:
    """Serve a mock OAP until interrupted.

    While it runs, POST /mock/faults switches faults on ({"kind": "status", "status": 503, "times": 3}),
    DELETE /mock/faults switches them off, GET /mock/requests shows what came in.
    """
    host, separator, port = listen.rpartition(":")
    if not separator or not port.isdigit():
        raise typer.BadParameter(f"{listen!r} is no HOST:PORT, e.g. 127.0.0.1:12800", param_hint="--listen")
    try:
        faults = [Fault.parse(text) for text in fault or ()]
    except FaultError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--fault") from wrong
    asyncio.run(_serve(host.strip("[]"), int(port), scenario, oap_version, timezone, speed, faults))


async def _serve(
    host: str, port: int, scenario: str, version: str, timezone: str, speed: float, faults: list[Fault]
) -> None:
    try:
        oap = MockOap(scenario, version=version, timezone=timezone, speed=speed, faults=faults, host=host, port=port)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from wrong
    try:
        await oap.start()
    except OSError as taken:
        typer.echo(
            f"Error: cannot listen on {host}:{port}: {taken.strerror}. Choose another port by --listen.", err=True
        )
        raise typer.Exit(1) from taken
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    typer.echo(f"mock OAP {version} ({scenario}) ready at {oap.url}")
    try:
        await stop.wait()
    finally:
        await oap.stop()
