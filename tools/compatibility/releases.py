"""Releases in the Git history: the last one, its files, and whether the next version may be incompatible with it."""

import io
import re
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

_TAG = re.compile(r"^v(\d+)\.(\d+)\.(\d+)$")  # not a release candidate


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Version of a release."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def may_be_incompatible(last: Version, following: Version) -> bool:
    """Return whether SemVer permits incompatible changes: in a major version, before 1.0 also in a minor one."""
    return following.major > last.major or (last.major == 0 and following.minor > last.minor)


def read_version(root: Path) -> Version:
    """Return the version of the work tree."""
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    major, minor, patch = re.findall(r"\d+", version)[:3]
    return Version(int(major), int(minor), int(patch))


def find_last_release(root: Path) -> Version | None:
    """Return the highest version that is tagged in the history of the work tree; None before the first release.

    Raises:
        RuntimeError: The folder is not a Git repository.
    """
    tags = _git(root, "tag", "--merged", "HEAD").decode().split()
    return max((Version(*map(int, found.groups())) for tag in tags if (found := _TAG.match(tag))), default=None)


def extract_release(root: Path, version: Version, folder: Path, *paths: str) -> None:
    """Write files and folders of a release below a folder. A path that the release lacks is left out."""
    listed = _git(root, "ls-tree", "--name-only", "-r", f"v{version}", "--", *paths).decode().splitlines()
    if listed:
        archive = _git(root, "archive", "--format=tar", f"v{version}", "--", *listed)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")


def _git(root: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"git {arguments[0]} failed: {done.stderr.decode().strip()}. Run the check in a Git clone.")
    return done.stdout
