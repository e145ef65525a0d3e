"""Command `skywalking-provider bridge`, which the init container runs."""

import hashlib
import platform
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from skywalking_provider import __version__
from skywalking_provider.cli import app

PLATFORM = {"x86_64": "linux-amd64", "aarch64": "linux-arm64"}[platform.machine()]


def run_bridge(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["bridge", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for version in ("0.0.9", __version__):
        for built_for in ("linux-amd64", "linux-arm64"):
            binary = tmp_path / "opt" / version / built_for / "skywalking-bridge"
            binary.parent.mkdir(parents=True)
            binary.write_text(f"{version} for {built_for}")
    return tmp_path / "opt"


def test_bridge_lists_every_binary_with_its_sha256(folder: Path) -> None:
    result = run_bridge("--from", folder)

    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["0.0.9", "linux-amd64"],
        ["0.0.9", "linux-arm64"],
        [__version__, "linux-amd64"],
        [__version__, "linux-arm64"],
    ]
    assert result.stdout.splitlines()[0].endswith("sha256:" + hashlib.sha256(b"0.0.9 for linux-amd64").hexdigest())


def test_bridge_to_copies_the_binary_of_its_version_and_platform(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "plugins" / "skywalking-bridge"

    result = run_bridge("--from", folder, "--to", target)

    assert result.exit_code == 0
    assert result.stdout.split() == [__version__, PLATFORM, "sha256:" + hashlib.sha256(target.read_bytes()).hexdigest()]
    assert target.read_text() == f"{__version__} for {PLATFORM}"
    assert target.stat().st_mode & 0o777 == 0o755
    assert list(target.parent.iterdir()) == [target]


def test_bridge_to_running_binary_is_replaced_not_overwritten(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "skywalking-bridge"
    target.write_text("the old one")

    with target.open() as running:
        assert run_bridge("--from", folder, "--to", target).exit_code == 0
        assert running.read() == "the old one"


def test_bridge_all_to_copies_every_binary(folder: Path, tmp_path: Path) -> None:
    assert run_bridge("--from", folder, "--all-to", tmp_path / "served").exit_code == 0

    files = [path.relative_to(tmp_path / "served").as_posix() for path in (tmp_path / "served").rglob("*/*/*")]
    assert sorted(files) == [
        "0.0.9/linux-amd64/skywalking-bridge",
        "0.0.9/linux-arm64/skywalking-bridge",
        f"{__version__}/linux-amd64/skywalking-bridge",
        f"{__version__}/linux-arm64/skywalking-bridge",
    ]


def test_bridge_folder_without_binaries_is_reported(tmp_path: Path) -> None:
    result = run_bridge("--from", tmp_path / "none")

    assert result.exit_code == 1
    assert f"no VERSION/OS-ARCH/skywalking-bridge in {tmp_path / 'none'}. Name the folder" in result.stderr


def test_bridge_unsupported_platform_lists_the_available_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    result = run_bridge("--from", folder, "--to", folder / "x")

    assert result.exit_code == 1
    assert f"no bridge {__version__} linux-riscv64 in" in result.stderr
    assert "Available: 0.0.9 linux-amd64, 0.0.9 linux-arm64," in result.stderr


def test_bridge_target_not_writable_is_reported(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    result = run_bridge("--from", folder, "--to", tmp_path / "file" / "skywalking-bridge")

    assert result.exit_code == 1
    assert "file" in result.stderr
