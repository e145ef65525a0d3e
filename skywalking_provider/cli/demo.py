"""`skywalking-provider demo`: a healthy and a bad canary, judged on this machine."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def demo_command(
    *,
    bridge: Annotated[Path, typer.Option(help="The bridge's binary (make build).")] = Path(
        ".cache/bin/skywalking-bridge"
    ),
    argo_host: Annotated[Path, typer.Option(help="Argo's plugin client (make build).")] = Path(".cache/bin/argo-host"),
) -> None:
    """Judge a healthy and a bad canary with real parts: only the OAP is the mock that ships with the provider.

    Argo's own plugin client starts the real bridge, the bridge asks the real service, the service reads the mock OAP by
    GraphQL. The mock's clock runs fast. Ends with 0 if the healthy canary is promoted and the bad one is aborted.
    """
    for program in (bridge, argo_host):
        if not program.is_file():
            typer.echo(f"skywalking-provider: {program} is missing; run `make build` in a checkout", err=True)
            raise typer.Exit(2)
    raise typer.Exit(asyncio.run(_demo(bridge.resolve(), argo_host.resolve())))


async def _demo(bridge: Path, argo_host: Path) -> int:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only this command needs them

    from skywalking_provider.tools.demo.argo_host import HostError  # noqa: PLC0415
    from skywalking_provider.tools.demo.runner import Programs, run_canary, success_condition  # noqa: PLC0415
    from skywalking_provider.tools.demo.view import DemoView  # noqa: PLC0415

    console = Console()
    console.print("Argo's plugin client → skywalking-bridge → skywalking-provider → mock OAP 10.1.0", style="bold")
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="swp-demo-") as folder, DemoView(console, success_condition()) as view:
        for title, scenario in (("healthy canary", "healthy-canary"), ("bad canary", "slow-canary")):
            place = Path(folder, scenario)
            place.mkdir()
            try:
                canary = await run_canary(title, scenario, Programs(bridge, argo_host), place, view.show)
            except HostError as error:
                console.print(f"{title}: {error}", style="red")
                return 1
            outcomes.append(canary.outcome)
    expected = outcomes[0].startswith("promoted") and outcomes[1].startswith("aborted")
    if not expected:
        console.print("The verdicts are not those that were expected.", style="red")
    return 0 if expected else 1
