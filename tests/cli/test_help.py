"""What somebody sees who types the command's name."""

import re

import pytest
from typer.testing import CliRunner

from skywalking_provider.cli import app


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_the_help_says_to_the_end_what_each_command_does(arguments: list[str]) -> None:
    said = CliRunner().invoke(app, arguments, terminal_width=79).output
    purposes = re.split(r"^  [a-z-]+  +", said[said.index("Commands:") :], flags=re.MULTILINE)[1:]

    assert len(purposes) == 10
    assert all(purpose.rstrip().endswith(".") and "..." not in purpose for purpose in purposes)
