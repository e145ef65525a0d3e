"""Commit, version and exported files of a release."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tools.release.source import ReleaseError, export_source, read_source, read_version

EPOCH = 1_700_000_000
FILES = {
    "skywalking_provider/__init__.py": '__version__ = "1.2.3"\n',
    "pyproject.toml": 'version = "1.2.3"\n',
    "Dockerfile": "ARG VERSION=1.2.3\n",
    "charts/skywalking-provider/Chart.yaml": 'version: 1.2.3\nappVersion: "1.2.3"\n',
}


def git(root: Path, *arguments: str) -> str:
    author = {
        f"GIT_{role}_{key}": f"{key}@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    dates = {"GIT_AUTHOR_DATE": f"{EPOCH} +0900", "GIT_COMMITTER_DATE": f"{EPOCH} +0900"}
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment = os.environ | author | dates | settings
    return subprocess.run(
        ["git", *arguments], cwd=root, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o700)
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=first")
    return root


def test_source_of_a_clean_checkout_is_its_commit_with_its_time(checkout: Path) -> None:
    source = read_source(checkout, allow_changes=False)

    assert (source.commit, source.tree) == (git(checkout, "rev-parse", "HEAD"),) * 2
    assert (source.epoch, source.changed) == (EPOCH, False)


@pytest.mark.parametrize("name", ["pyproject.toml", "new"])
def test_checkout_with_changes_is_rejected_with_their_names(checkout: Path, name: str) -> None:
    (checkout / name).write_text("changed")

    with pytest.raises(ReleaseError, match=f"the checkout has changes: {name}. Commit them, or set ALLOW_DIRTY=1 "):
        read_source(checkout, allow_changes=False)


def test_allowed_changes_are_exported_and_the_checkout_stays_as_it_is(checkout: Path, tmp_path: Path) -> None:
    (checkout / "run").write_text("changed")
    (checkout / "new").write_text("untracked")
    before = git(checkout, "status", "--porcelain")
    source = read_source(checkout, allow_changes=True)
    export_source(checkout, source, tmp_path / "out")

    assert source.changed
    assert (tmp_path / "out/run").read_text() == "changed"
    assert not (tmp_path / "out/new").exists()
    assert git(checkout, "status", "--porcelain") == before
    assert git(checkout, "stash", "list") == ""


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_exported_files_have_one_time_and_modes_that_do_not_depend_on_the_umask(
    checkout: Path, tmp_path: Path, umask: int
) -> None:
    former = os.umask(umask)
    try:
        export_source(checkout, read_source(checkout, allow_changes=False), tmp_path / "out")
    finally:
        os.umask(former)

    files = {path.relative_to(tmp_path / "out").as_posix(): path.stat() for path in (tmp_path / "out").rglob("*")}
    assert {info.st_mtime for info in files.values()} == {EPOCH}
    assert stat.S_IMODE(files["run"].st_mode) == 0o755
    assert stat.S_IMODE(files["pyproject.toml"].st_mode) == 0o644
    assert stat.S_IMODE(files["charts"].st_mode) == 0o755


def test_exported_files_do_not_depend_on_the_configuration_of_git(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes = tmp_path / "attributes"
    attributes.write_text("Dockerfile export-ignore\n")
    settings = {"core.autocrlf": "true", "core.attributesFile": str(attributes), "log.showSignature": "true"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (name, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    export_source(checkout, read_source(checkout, allow_changes=False), tmp_path / "out")

    assert {name: (tmp_path / "out" / name).read_bytes().decode() for name in FILES} == FILES


def test_version_is_that_of_all_files(checkout: Path) -> None:
    assert read_version(checkout) == "1.2.3"


@pytest.mark.parametrize("name", FILES)
def test_file_with_another_version_is_rejected(checkout: Path, name: str) -> None:
    path = checkout / name
    path.write_text("1.2.4".join(path.read_text().rsplit("1.2.3", 1)))

    with pytest.raises(ReleaseError, match=r"has the version 1.2.[34] instead of 1.2.[34]. Set 1.2.[34] in it."):
        read_version(checkout)


def test_file_without_a_version_is_rejected(checkout: Path) -> None:
    (checkout / "Dockerfile").write_text("FROM scratch\n")

    with pytest.raises(ReleaseError, match=r"Dockerfile has no version that matches .* Set it as X.Y.Z."):
        read_version(checkout)
