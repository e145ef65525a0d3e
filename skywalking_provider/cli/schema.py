"""`skywalking-provider schema`: the JSON Schema of the block, for editors and pipelines."""

import json

import typer


def schema_command() -> None:
    """Print the JSON Schema of the block (what stands under provider.plugin.<name>)."""
    from skywalking_provider.check.schema import block_schema  # noqa: PLC0415 - as the other commands: imports on demand

    typer.echo(json.dumps(block_schema(), indent=2, ensure_ascii=False))
