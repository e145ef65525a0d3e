"""Command `skywalking-provider schema`: prints the JSON Schema of the block for editors and pipelines."""

import json

import typer


def schema_command() -> None:
    """Print the JSON Schema of the block, the JSON below provider.plugin.<name>."""
    from skywalking_provider.block.json_schema import build_block_schema  # noqa: PLC0415 - as the other commands: imports on demand

    typer.echo(json.dumps(build_block_schema(), indent=2, ensure_ascii=False))
