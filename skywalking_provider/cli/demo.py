"""Command `skywalking-provider demo`: analyses healthy and bad canaries on this machine."""

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from skywalking_provider.tools.demo.runner import Programs


def demo_command(
    *,
    bridge: Annotated[Path, typer.Option(help="Bridge binary (make build).")] = Path(".cache/bin/skywalking-bridge"),
    argo_host: Annotated[Path, typer.Option(help="Argo's plugin client (make build).")] = Path(".cache/bin/argo-host"),
) -> None:
    """Analyse healthy and bad canaries with the real bridge and service, Argo's plugin client and a mock OAP.

    Argo's plugin client starts the bridge, the bridge calls the service, and the service reads the mock OAP by
    GraphQL. The clock of the mock runs fast. First, a threshold measures a healthy and a bad canary. Then a threshold
    and a judged block measure the same minutes of two canaries with few calls. Exit code 0: each verdict is the
    expected one.
    """
    for program in (bridge, argo_host):
        if not program.is_file():
            typer.echo(f"skywalking-provider: {program} is missing. Run `make build` in a checkout.", err=True)
            raise typer.Exit(2)
    raise typer.Exit(asyncio.run(_demo(bridge.resolve(), argo_host.resolve())))


async def _demo(bridge: Path, argo_host: Path) -> int:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only needed here

    from skywalking_provider.tools.demo.argo_host import HostError  # noqa: PLC0415
    from skywalking_provider.tools.demo.runner import Programs, run_canary, success_condition  # noqa: PLC0415
    from skywalking_provider.tools.demo.view import DemoView  # noqa: PLC0415

    console = Console()
    console.print("Argo's plugin client → skywalking-bridge → skywalking-provider → mock OAP 10.1.0", style="bold")
    console.print("The clock of the mock OAP advances by five minutes for each measurement.", style="dim")
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="swp-demo-") as folder, DemoView(console, success_condition()) as view:
        for title, scenario in (("healthy canary", "healthy-canary"), ("bad canary", "slow-canary")):
            work_folder = Path(folder, scenario)
            work_folder.mkdir()
            try:
                canary = await run_canary(title, scenario, Programs(bridge, argo_host), work_folder, view.show)
            except HostError as error:
                console.print(f"{title}: {error}", style="red")
                return 1
            outcomes.append(canary.outcome)
    expected = outcomes[0].startswith("promoted") and outcomes[1].startswith("aborted")
    if not expected:
        console.print("Unexpected verdicts: the healthy canary must be promoted and the bad one aborted.", style="red")
    return 0 if await _compare_forms(console, Programs(bridge, argo_host)) and expected else 1


async def _compare_forms(console: "Console", programs: "Programs") -> bool:
    """Show a threshold and a judged block on the same minutes. Return whether the judged verdicts are right."""
    from skywalking_provider.model import Phase  # noqa: PLC0415
    from skywalking_provider.tools.demo.argo_host import HostError  # noqa: PLC0415
    from skywalking_provider.tools.demo.side_by_side import BAD, HEALTHY, run_side_by_side  # noqa: PLC0415
    from skywalking_provider.tools.demo.side_by_side_view import SideBySideView  # noqa: PLC0415

    console.print(
        "\nA threshold and a judged block (compare with stable) on the same minutes. Each line is a minute.",
        style="bold",
    )
    judged = []
    with tempfile.TemporaryDirectory(prefix="swp-demo-") as folder, SideBySideView(console) as view:
        for title, failures in (("healthy canary", HEALTHY), ("bad canary", BAD)):
            work_folder = Path(folder, title.partition(" ")[0])
            work_folder.mkdir()
            try:
                comparison = await run_side_by_side(title, failures, programs, work_folder, view.show)
            except HostError as error:
                console.print(f"{title}: {error}", style="red")
                return False
            judged.append(comparison.judged)
    if judged != [Phase.SUCCESSFUL, Phase.FAILED]:
        console.print(
            "Unexpected verdicts: the judge must find the healthy canary fine, the bad one worse.", style="red"
        )
        return False
    return True
