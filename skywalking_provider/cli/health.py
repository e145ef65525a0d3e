"""Command `skywalking-provider health`: checks a running service, for probes outside Kubernetes."""

from pathlib import Path
from typing import Annotated

import typer

from skywalking_provider.support.printable import printable_line


def health_command(
    *,
    socket: Annotated[Path | None, typer.Option(envvar="SWP_SOCKET", help="Unix socket of the service.")] = None,
    address: Annotated[
        str | None, typer.Option(help="host:port of a service on loopback; with TLS, use GET /readyz instead.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the response.", min=0.1)] = 2.0,
) -> None:
    """Check the health of a running service (grpc.health.v1).

    Exit codes: 0 it is serving, 1 it is not, 2 wrong usage.
    """
    if (socket is None) == (address is None):
        typer.echo("skywalking-provider health: write exactly one of --socket and --address", err=True)
        raise typer.Exit(2)
    # Imported on demand, so that wrong usage is reported without the time to import gRPC.
    import grpc  # noqa: PLC0415
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse  # noqa: PLC0415

    target = f"unix:{socket.absolute()}" if socket else str(address)
    # A probe connects to its own pod: proxies of the environment do not apply.
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            response = channel.unary_unary(
                "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
            )(HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError as error:
            typer.echo(printable_line(f"{target}: {error.code().name} {error.details()}"), err=True)
            raise typer.Exit(1) from error
    typer.echo(HealthCheckResponse.ServingStatus.Name(response.status))
    if response.status != HealthCheckResponse.SERVING:
        raise typer.Exit(1)
