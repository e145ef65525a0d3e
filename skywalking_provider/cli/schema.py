"""Command `skywalking-provider schema`: prints JSON Schemas for editors and pipelines."""

import json
from typing import Annotated

import typer


def schema_command(
    *,
    template: Annotated[
        bool, typer.Option("--template", help="Print the schema of an AnalysisTemplate with the block in its place.")
    ] = False,
    plugin_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the plugin in Argo's configuration, for --template.")
    ] = "skywalking/metrics",
) -> None:
    """Print the JSON Schema of the block, the JSON below provider.plugin.<name>."""
    # As the other commands: imports on demand.
    from skywalking_provider.block.json_schema import build_block_schema  # noqa: PLC0415
    from skywalking_provider.tools.lint.editor_schema import build_template_schema  # noqa: PLC0415

    schema = build_template_schema(plugin_name) if template else build_block_schema()
    typer.echo(json.dumps(schema, indent=2, ensure_ascii=False))
