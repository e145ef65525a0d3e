"""The help of the command line."""

import re

import pytest
from typer.testing import CliRunner

from skywalking_provider.cli import app


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_lists_each_command_with_its_whole_purpose(arguments: list[str]) -> None:
    output = CliRunner().invoke(app, arguments, terminal_width=79).output
    purposes = re.split(r"^  [a-z-]+  +", output[output.index("Commands:") :], flags=re.MULTILINE)[1:]

    assert len(purposes) == 14
    assert all(purpose.rstrip().endswith(".") and "..." not in purpose for purpose in purposes)
