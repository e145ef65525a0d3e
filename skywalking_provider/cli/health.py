"""`skywalking-provider health`: one question to a service that runs, for probes that start a program."""

from pathlib import Path
from typing import Annotated

import typer


def health_command(
    *,
    socket: Annotated[Path | None, typer.Option(envvar="SWP_SOCKET", help="Unix socket of the service.")] = None,
    address: Annotated[
        str | None, typer.Option(help="host:port of a service on loopback; where TLS is, ask GET /readyz instead.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.", min=0.1)] = 2.0,
) -> None:
    """Ask a running service whether it serves (grpc.health.v1): 0 if it does, 1 if not, 2 for a wrong command line."""
    if (socket is None) == (address is None):
        typer.echo("skywalking-provider health: write exactly one of --socket and --address", err=True)
        raise typer.Exit(2)
    # Imports on demand: the answer to a wrong command line need not wait for gRPC.
    import grpc  # noqa: PLC0415
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse  # noqa: PLC0415

    target = f"unix:{socket.absolute()}" if socket else str(address)
    # No proxy of the environment stands between a probe and its own pod.
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = channel.unary_unary(
                "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
            )(HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError as error:
            typer.echo(f"{target}: {error.code().name} {error.details()}", err=True)
            raise typer.Exit(1) from error
    typer.echo(HealthCheckResponse.ServingStatus.Name(answer.status))
    if answer.status != HealthCheckResponse.SERVING:
        raise typer.Exit(1)
