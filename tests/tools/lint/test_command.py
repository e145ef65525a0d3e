"""`skywalking-provider lint` as a process: exit codes, options and formats."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from skywalking_provider.cli import app
from tests.tools.lint.harness import CONFIG, wrap

RIGHT = wrap("""\
- name: rate
  interval: 5m
  count: 3
  successCondition: result >= 0.95
  provider:
    plugin:
      skywalking/metrics: {sli: success-rate, window: 5m, minCalls: 100, service: reviews.bookinfo, backend: default}
""")
ERROR = RIGHT.replace("0.95", "95")
WARNING = RIGHT.replace("minCalls: 100", "minCalls: 10")
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class CommandResult:
    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str, stdin: str = "") -> CommandResult:
    """Run the command in this process."""
    result = CliRunner().invoke(app, ["lint", *arguments], input=stdin)
    return CommandResult(result.exit_code, result.stdout, result.stderr)


def test_process_lints_standard_input() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SWP_", "SW_"))}
    command = [sys.executable, "-m", "skywalking_provider", "lint", "-"]
    outcome = subprocess.run(
        command, input=ERROR.encode(), capture_output=True, env=environment, timeout=TIMEOUT_SECONDS, check=False
    )

    assert (outcome.returncode, outcome.stderr) == (1, b"")
    assert outcome.stdout.decode().startswith("✖ stdin:15:23  error  condition-cannot-pass")


@pytest.mark.parametrize(
    ("text", "fail_on", "exit_code"),
    [
        (RIGHT, "warning", 0),
        (WARNING, "warning", 1),
        (WARNING, "error", 0),
        (ERROR, "error", 1),
        (ERROR, "never", 0),
        ("a: [", "error", 1),
    ],
)
def test_exit_code_follows_the_severity(text: str, fail_on: str, exit_code: int) -> None:
    outcome = run("-", "--fail-on", fail_on, stdin=text)

    assert (outcome.returncode, outcome.stderr) == (exit_code, "")


def test_path_that_does_not_exist_is_a_finding() -> None:
    outcome = run("nothing.yaml")

    assert outcome.returncode == 1
    assert "nothing.yaml:1:1  error  file-unreadable" in outcome.stdout


@pytest.mark.parametrize("arguments", [(), ("-o", "xml", "-"), ("--config", "nothing.yaml", "-"), ("--fial", "-")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments, stdin=RIGHT).returncode == 2


def test_invalid_configuration_ends_with_2_and_names_the_key(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("backends: {default: {url: nonsense}}")
    outcome = run("--config", str(config), "-", stdin=RIGHT)

    assert outcome.returncode == 2
    assert "backends.default.url" in outcome.stderr


def test_configuration_adds_the_rule_about_backends(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    text = RIGHT.replace("backend: default", "backend: other")

    assert run("-", stdin=text).returncode == 0
    outcome = run("--config", str(tmp_path / "config.yaml"), "-", stdin=text)
    assert outcome.returncode == 1
    assert "block-backend" in outcome.stdout


def test_version_of_the_oap_adds_its_rule() -> None:
    text = RIGHT.replace("sli: success-rate", 'expression: "increase(service_cpm, 2)"').replace(
        "result >", "len(result) >"
    )

    assert run("-", stdin=text).returncode == 0
    assert "oap-version" in run("-", "--oap-version", "9.6.0", stdin=text).stdout
    assert run("-", "--oap-version", "9.x", stdin=text).returncode == 2


def test_files_of_the_option_and_the_arguments_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ERROR)
    (tmp_path / "b.yaml").write_text(ERROR)
    outcome = run(str(tmp_path / "a.yaml"), "-f", str(tmp_path / "b.yaml"), "-o", "json")

    assert [Path(one["file"]).name for one in json.loads(outcome.stdout)["findings"]] == ["a.yaml", "b.yaml"]


def test_formats_for_programs_are_the_whole_standard_output() -> None:
    assert json.loads(run("-", "-o", "json", stdin=ERROR).stdout)["findings"][0]["id"] == "condition-cannot-pass"
    assert json.loads(run("-", "-o", "sarif", stdin=ERROR).stdout)["version"] == "2.1.0"
    assert run("-", "-o", "github", stdin=ERROR).stdout.startswith("::error file=stdin,line=15,")


def test_pass_through_writes_the_input_unless_there_are_findings() -> None:
    right, wrong = run("--pass-through", "-", stdin=RIGHT), run("-f", "-", "--pass-through", stdin=ERROR)

    assert (right.returncode, right.stdout) == (0, RIGHT)
    assert right.stderr == "no findings in 1 file, 1 template, 1 metric of SkyWalking\n"
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "condition-cannot-pass" in wrong.stderr
    assert run("--pass-through", "a.yaml").returncode == 2


def test_name_of_the_plugin_selects_the_metrics() -> None:
    text = ERROR.replace("skywalking/metrics", "shop/apm")

    assert run("-", stdin=text).returncode == 0
    assert run("--plugin-name", "shop/apm", "-", stdin=text).returncode == 1


def test_control_characters_do_not_reach_the_terminal() -> None:
    text = RIGHT.replace("name: rate", 'name: "\\e[31mrate\\u202e"').replace("interval: 5m", "interval: 5x")
    outcome = run("-", stdin=text)

    assert "argo-invalid" in outcome.stdout
    assert not {"\x1b", "\u202e"} & set(outcome.stdout)
