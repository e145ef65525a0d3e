"""Command line. Each command has a module, which is imported when the command is called."""

import inspect
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from skywalking_provider import __version__

_COMMANDS = {
    "serve": "serve_command",
    "eval": "eval_command",
    "mock-oap": "mock_oap_command",
    "check": "check_command",
    "judge": "judge_command",
    "lint": "lint_command",
    "backtest": "backtest_command",
    "suggest": "suggest_command",
    "migrate": "migrate_command",
    "schema": "schema_command",
    "bridge": "bridge_command",
    "health": "health_command",
    "doctor": "doctor_command",
    "demo": "demo_command",
}


class _Commands(TyperGroup):
    """Loads the command `NAME` from `cli/NAME.py`, so that `eval` does not import the modules of `serve`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"{__name__}.{cmd_name.replace('-', '_')}")
        command = getattr(module, _COMMANDS[cmd_name])
        purpose = (inspect.getdoc(command) or "").partition("\n\n")[0]  # in full, because typer truncates it
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name, short_help=purpose)(command)
        return typer.main.get_command(single)


app = typer.Typer(
    name="skywalking-provider",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Apache SkyWalking metric provider for Argo Rollouts."""


def main() -> None:
    """Run `skywalking-provider`."""
    app()
