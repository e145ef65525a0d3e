"""The command `skywalking-provider migrate`."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from skywalking_provider.tools.migrate import migrate
from tests.tools.migrate.harness import DATA, PLUGIN

MIGRATE = [sys.executable, "-m", "skywalking_provider", "migrate"]


def run(*arguments: str | Path, stdin: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MIGRATE, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=60, cwd=folder
    )


@pytest.fixture
def file(tmp_path: Path, reference_template: str) -> Path:
    path = tmp_path / "apdex.yaml"
    path.write_text(reference_template)
    return path


def test_migrate_prints_a_diff_and_does_not_change_the_file(file: Path, reference_template: str) -> None:
    done = run("-f", file.name, folder=file.parent)

    assert done.returncode == 0
    assert done.stdout == (DATA / "reference.diff").read_text()
    assert done.stderr == (DATA / "reference.stderr.txt").read_text()
    assert file.read_text() == reference_template


def test_diff_can_be_applied_by_git(file: Path, reference_template: str) -> None:
    diff = run("-f", file.name, folder=file.parent).stdout
    (file.parent / "by.patch").write_text(diff)

    subprocess.run(["git", "apply", "-p0", "by.patch"], check=True, cwd=file.parent, capture_output=True)

    assert file.read_text() == migrate(reference_template, PLUGIN).after


def test_to_expression_prints_a_diff_and_its_notes(file: Path) -> None:
    done = run("-f", file.name, "--to", "expression", folder=file.parent)

    assert done.stdout == (DATA / "reference-expression.diff").read_text()
    assert done.stderr == (DATA / "reference-expression.stderr.txt").read_text()


def test_write_changes_the_file_and_reports_it(file: Path, reference_template: str) -> None:
    done = run("-f", file, "-w")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"{file}: 1 metric rewritten\n")
    assert file.read_text() == migrate(reference_template, PLUGIN).after


def test_write_keeps_windows_line_endings(file: Path, reference_template: str) -> None:
    file.write_bytes(reference_template.replace("\n", "\r\n").encode())

    run("-f", file, "-w")

    assert file.read_bytes() == migrate(reference_template, PLUGIN).after.replace("\n", "\r\n").encode()


def test_stdin_is_migrated_to_stdout(reference_template: str) -> None:
    done = run("-f", "-", "-o", "yaml", stdin=reference_template)

    assert (done.returncode, done.stdout) == (0, migrate(reference_template, PLUGIN).after)


def test_several_files_become_documents_of_one_stream(file: Path, reference_template: str) -> None:
    other = file.with_name("other.yaml")
    other.write_text("kind: ConfigMap")

    done = run("-f", other, "-f", file, "-o", "yaml")

    assert list(yaml.safe_load_all(done.stdout)) == [
        {"kind": "ConfigMap"},
        yaml.safe_load(migrate(reference_template, PLUGIN).after),
    ]
    assert f"{other}: nothing to migrate\n" in done.stderr


def test_file_without_anything_to_migrate_is_reported_with_exit_code_0(file: Path) -> None:
    run("-f", file, "-w")

    done = run("-f", file)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{file}: nothing to migrate\n")


def test_invalid_file_is_reported_by_line_and_no_file_is_written(file: Path, reference_template: str) -> None:
    invalid = file.with_name("invalid.yaml")
    invalid.write_text(reference_template.replace("interval: 3m", "interval: soon"))

    done = run("-f", file, "-f", invalid, "-w")

    assert done.returncode == 2
    assert done.stderr.startswith(f"{invalid}:15: interval: 'soon' is not a duration. Write it in Go's notation")
    assert "no file was migrated" in done.stderr
    assert file.read_text() == reference_template


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "--filename"),
        (("-f", "/nowhere.yaml"), "/nowhere.yaml:1: cannot be read: No such file or directory."),
        (("-f", "."), ".:1: cannot be read: Is a directory. Pass each of its files with -f."),
        (("-f", "-", "-w"), "standard output"),
        (("-f", "x", "-w", "-o", "yaml"), "standard output"),
        (("-f", "-", "--plugin-name", "sky walking"), "is not a plugin name for Argo"),
        (("-f", "-", "--to", "sli"), "'sli' is not one of"),
    ],
)
def test_wrong_usage_exits_with_2_and_a_hint(arguments: tuple[str, ...], expected: str) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert expected in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_file_that_is_not_utf_8_is_rejected_with_its_line(file: Path) -> None:
    file.write_bytes(b"a: 1\nb: \xff\n")

    assert run("-f", file).stderr == f"{file}:2: is not UTF-8. Convert it first.\n"


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_terminal_gets_colours_unless_no_color_is_set(file: Path, no_colour: str, coloured: bool) -> None:
    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "NO_COLOR": no_colour}
    try:
        with subprocess.Popen([*MIGRATE, "-f", file], stdout=follower, stderr=follower, env=environment) as started:
            os.close(follower)
            output = _read_all(leader)
            assert started.wait(60) == 0
    finally:
        os.close(leader)

    assert ("\x1b[31m-      skywalking:" in output) == coloured
    assert ("\x1b" in output) == coloured


def _read_all(leader: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux raises it once the other side is closed
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()
