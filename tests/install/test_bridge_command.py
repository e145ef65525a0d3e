"""`skywalking-provider bridge`: what the init container runs."""

import hashlib
import platform
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from skywalking_provider import __version__
from skywalking_provider.cli import app

HERE = {"x86_64": "linux-amd64", "aarch64": "linux-arm64"}[platform.machine()]


def ask(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["bridge", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for version in ("0.0.9", __version__):
        for built_for in ("linux-amd64", "linux-arm64"):
            binary = tmp_path / "opt" / version / built_for / "skywalking-bridge"
            binary.parent.mkdir(parents=True)
            binary.write_text(f"{version} for {built_for}")
    return tmp_path / "opt"


def test_it_lists_every_bridge_with_its_sha256(folder: Path) -> None:
    said = ask("--from", folder)

    assert said.exit_code == 0
    assert [line.split()[:2] for line in said.stdout.splitlines()] == [
        ["0.0.9", "linux-amd64"],
        ["0.0.9", "linux-arm64"],
        [__version__, "linux-amd64"],
        [__version__, "linux-arm64"],
    ]
    assert said.stdout.splitlines()[0].endswith("sha256:" + hashlib.sha256(b"0.0.9 for linux-amd64").hexdigest())


def test_it_copies_the_one_of_its_own_version_for_this_machine(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "plugins" / "skywalking-bridge"

    said = ask("--from", folder, "--to", target)

    assert said.exit_code == 0
    assert said.stdout.split() == [__version__, HERE, "sha256:" + hashlib.sha256(target.read_bytes()).hexdigest()]
    assert target.read_text() == f"{__version__} for {HERE}"
    assert target.stat().st_mode & 0o777 == 0o755
    assert list(target.parent.iterdir()) == [target]


def test_who_runs_the_old_one_keeps_it_whole(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "skywalking-bridge"
    target.write_text("the old one")

    with target.open() as running:
        assert ask("--from", folder, "--to", target).exit_code == 0
        assert running.read() == "the old one"


def test_it_copies_all_of_them_to_where_they_are_served(folder: Path, tmp_path: Path) -> None:
    assert ask("--from", folder, "--all-to", tmp_path / "served").exit_code == 0

    files = [path.relative_to(tmp_path / "served").as_posix() for path in (tmp_path / "served").rglob("*/*/*")]
    assert sorted(files) == [
        "0.0.9/linux-amd64/skywalking-bridge",
        "0.0.9/linux-arm64/skywalking-bridge",
        f"{__version__}/linux-amd64/skywalking-bridge",
        f"{__version__}/linux-arm64/skywalking-bridge",
    ]


def test_a_folder_without_bridges_is_named(tmp_path: Path) -> None:
    said = ask("--from", tmp_path / "none")

    assert said.exit_code == 1
    assert f"no VERSION/OS-ARCH/skywalking-bridge in {tmp_path / 'none'}; name the right folder" in said.stderr


def test_a_machine_without_a_bridge_is_told_what_there_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    said = ask("--from", folder, "--to", folder / "x")

    assert said.exit_code == 1
    assert f"no bridge {__version__} linux-riscv64 in" in said.stderr
    assert "there are: 0.0.9 linux-amd64, 0.0.9 linux-arm64," in said.stderr


def test_a_place_that_cannot_be_written_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    said = ask("--from", folder, "--to", tmp_path / "file" / "skywalking-bridge")

    assert said.exit_code == 1
    assert "file" in said.stderr
