"""Source of a release: the commit, its time, its version, and a copy of its files."""

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_VERSION = r"(\d+\.\d+\.\d+[\w.+-]*)"
_VERSIONS = {
    "skywalking_provider/__init__.py": rf'^__version__ = "{_VERSION}"$',
    "pyproject.toml": rf'^version = "{_VERSION}"$',
    "Dockerfile": rf"^ARG VERSION={_VERSION}$",
    "charts/skywalking-provider/Chart.yaml": rf'^(?:version|appVersion): "?{_VERSION}"?$',
}
_SETTINGS = {"tar.umask": "0022", "core.autocrlf": "false", "core.eol": "lf", "core.attributesFile": os.devnull}
_ARCHIVE_SETTINGS = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]


class ReleaseError(Exception):
    """Problem that prevents a release, with the next step."""


@dataclass(frozen=True, slots=True)
class Source:
    """Commit that a release is built from.

    Attributes:
        commit: Hash of the commit.
        epoch: Time of the commit in seconds since 1970, the time of everything in the release.
        changed: Whether the files differ from the commit.
        tree: Commit or stash whose files are built.
    """

    commit: str
    epoch: int
    changed: bool
    tree: str


def read_source(root: Path, *, allow_changes: bool) -> Source:
    """Return the commit of a checkout.

    Untracked files are never part of a release. Changes of tracked files are part of it only if they are allowed.

    Raises:
        ReleaseError: The checkout has changes that are not allowed.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain").splitlines()
    if changes and not allow_changes:
        more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
        listed = ", ".join(line[3:] for line in changes[:3])
        raise ReleaseError(
            f"the checkout has changes: {listed}{more}. Commit them, or set ALLOW_DIRTY=1 to build for trials."
        )
    # A stash commit that nothing refers to has the changes of tracked files. The checkout stays as it is.
    stash = _git(root, "-c", "user.name=release", "-c", "user.email=release@localhost", "stash", "create")
    return Source(
        commit, int(_git(root, "log", "-1", "--no-show-signature", "--format=%ct")), bool(changes), stash or commit
    )


def export_source(root: Path, source: Source, folder: Path) -> None:
    """Write the files of a source to a new folder.

    Modes do not depend on the umask, line endings and attributes not on git's configuration, and all times are that of
    the commit.
    """
    archive = subprocess.run(
        ["git", *_ARCHIVE_SETTINGS, "archive", "--format=tar", source.tree],
        cwd=root,
        env=os.environ | {"GIT_ATTR_NOSYSTEM": "1"},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
            tar.extract(member, folder, filter="fully_trusted")
    set_times(folder, source.epoch)


def set_times(folder: Path, epoch: int) -> None:
    """Set the modification time of a folder and all files below it."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def read_version(folder: Path) -> str:
    """Return the version that all files of a source have.

    Raises:
        ReleaseError: A file has another version than skywalking_provider/__init__.py.
    """
    found = list(_find_versions(folder))
    version = found[0][1]
    for name, other in found:
        if other != version:
            raise ReleaseError(f"{name} has the version {other} instead of {version}. Set {version} in it.")
    return version


def _find_versions(folder: Path) -> Iterator[tuple[str, str]]:
    for name, pattern in _VERSIONS.items():
        versions = re.findall(pattern, (folder / name).read_text(encoding="utf-8"), re.MULTILINE)
        if not versions:
            raise ReleaseError(f"{name} has no version that matches {pattern}. Set it as X.Y.Z.")
        yield from ((name, version) for version in versions)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.rstrip("\n")
