"""The command `skywalking-provider mock-oap`."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from skywalking_provider.cli.mock_oap import mock_oap_command


def start(*options: str) -> subprocess.Popen[str]:
    program = (
        "import typer\nfrom skywalking_provider.cli.mock_oap import mock_oap_command\ntyper.run(mock_oap_command)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"},
    )


def send(url: str, query: str) -> dict:
    request = urllib.request.Request(url, json.dumps({"query": query}).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return json.load(response)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_mock_oap_command_serves_and_ends_on_a_signal(end: signal.Signals):
    running = start("--listen", "127.0.0.1:0", "--oap-version", "9.6.0", "--timezone", "+0545", "--speed", "3600")
    try:
        line = running.stdout.readline()
        assert line.startswith("mock OAP 9.6.0 (healthy-canary) ready at http://127.0.0.1:")
        url = line.split()[-1]
        info = send(url, "{ version getTimeInfo { timezone currentTimestamp } }")["data"]
        assert info["version"].startswith("9.6.0")
        assert info["getTimeInfo"]["timezone"] == "+0545"
        later = send(url, "{ getTimeInfo { currentTimestamp } }")["data"]["getTimeInfo"]["currentTimestamp"]
        assert later > datetime.now(UTC).timestamp() * 1000
        assert later > info["getTimeInfo"]["currentTimestamp"]
    finally:
        running.send_signal(end)
        _, errors = running.communicate(timeout=20)
    assert running.returncode == 0
    assert errors == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "12800"], "is not HOST:PORT"),
        (["--scenario", "helthy"], "no scenario 'helthy'"),
        (["--oap-version", "8.0.0"], "was not recorded"),
        (["--timezone", "Moon"], "unknown time zone 'Moon'"),
        (["--speed", "0"], "above 0"),
        (["--fault", "earthquake"], "kind: Input should be"),
    ],
)
def test_mock_oap_command_invalid_option_is_named(options: list[str], message: str):
    command = typer.Typer(rich_markup_mode=None)
    command.command()(mock_oap_command)
    ended = CliRunner().invoke(command, ["--listen", "127.0.0.1:0", *options])
    assert ended.exit_code == 2
    assert message in ended.output


def test_mock_oap_command_port_in_use_is_an_error_with_a_hint():
    first = start("--listen", "127.0.0.1:0")
    try:
        port = first.stdout.readline().strip().rsplit(":", 1)[1].removesuffix("/graphql")
        second = start("--listen", f"127.0.0.1:{port}")
        _, errors = second.communicate(timeout=30)
        assert second.returncode == 1
        assert "Choose another port with --listen" in errors
    finally:
        first.terminate()
        first.communicate(timeout=20)
