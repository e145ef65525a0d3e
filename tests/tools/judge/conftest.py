import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from skywalking_provider.cli import app

Judge = Callable[..., Result]


@pytest.fixture
def judge() -> Judge:
    """Run the command in this process."""

    def run(*arguments: str, text: str | bytes = "") -> Result:
        return CliRunner().invoke(app, ["judge", *arguments], input=text)

    return run


@pytest.fixture
def judge_process() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the command as a program."""

    def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        program = Path(sys.executable).with_name("skywalking-provider")
        return subprocess.run([program, "judge", *arguments], input=stdin, capture_output=True, check=False, timeout=60)

    return run
