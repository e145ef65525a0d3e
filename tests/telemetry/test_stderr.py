"""Standard error of a process after `protect_stderr`: all that Python writes to it arrives, or delays nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTECT = "from skywalking_provider.telemetry.stderr import protect_stderr; writer = protect_stderr()\n"
CONFIGURE = """
from skywalking_provider.config import LogConfig
from skywalking_provider.server.logging import configure_logging
writer.render_loss = configure_logging(LogConfig(format="json"), lambda text: text.replace("hunter2", "********"))
"""


def run(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process with protected standard error."""
    arguments = {"stderr": subprocess.PIPE} | options
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", PROTECT + code], cwd=ROOT, text=True, timeout=100, check=False, **arguments
    )


@pytest.mark.parametrize(
    ("code", "last_line"),
    [
        ("raise RuntimeError('at the end')", "RuntimeError: at the end"),
        ("import sys; sys.exit('message')", "message"),
        ("import sys; print('a', 'b', file=sys.stderr)", "a b"),
        ("import atexit, sys; atexit.register(print, 'last', file=sys.stderr)", "last"),
        ("import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", "division by zero"),
    ],
)
def test_texts_written_before_the_exit_arrive(code: str, last_line: str) -> None:
    assert run(code).stderr.splitlines()[-1].endswith(last_line)


def test_exit_code_of_an_error_does_not_depend_on_the_output() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)

    assert run("raise RuntimeError", stderr=writer).returncode == 1
    assert run("raise RuntimeError", stderr=os.open("/dev/full", os.O_WRONLY)).returncode == 1
    os.close(reader)


def test_warnings_and_logs_of_libraries_are_redacted_json_lines() -> None:
    done = run(
        CONFIGURE
        + "import logging, warnings\n"
        + "warnings.warn('password hunter2')\n"
        + "logging.getLogger('asyncio').error('task of hunter2 failed')\n"
    )

    warning, error = (json.loads(line) for line in done.stderr.splitlines())
    assert "UserWarning: password ********" in warning["msg"]
    assert (error["level"], error["msg"]) == ("error", "task of ******** failed")


def test_report_of_lost_lines_is_a_json_line() -> None:
    done = run(CONFIGURE + "writer.write('x' * 2_000_000 + '\\n')")

    line = json.loads(done.stderr)
    assert (line["level"], line["lines"]) == ("warning", 1)
    assert line["msg"].startswith("log lines lost")


def test_closed_descriptors_are_not_given_to_other_files() -> None:
    code = "import os, sys; file = open('/dev/zero'); os._exit(file.fileno())"

    done = run(code, stderr=None, preexec_fn=lambda: [os.close(number) for number in (0, 1, 2)])

    assert done.returncode > 2
