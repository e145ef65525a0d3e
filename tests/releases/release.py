"""Artifacts of a release in a folder, as `make release` writes them to `dist/`."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tools.compatibility.releases import Version
from tools.release.build import hash_file, read_digest
from tools.release.plan import bridge_name


class ReleaseFilesError(Exception):
    """Problem of a release's files, with the next step."""


@dataclass(frozen=True, slots=True)
class Release:
    """A folder with image, chart and bridges, and the record of their digests (`release.json`)."""

    folder: Path
    record: dict[str, Any]

    @classmethod
    def read(cls, folder: Path, record: Path | None = None) -> Self:
        """Read a release and compare all files that the tests use with their digests.

        Args:
            folder: Folder with the artifacts.
            record: Record of the digests that the repository keeps; by default the one in the folder.

        Raises:
            ReleaseFilesError: A file has another digest.
        """
        release = cls(folder, json.loads((record or folder / "release.json").read_text()))
        if wrong := list(release._find_wrong_files()):
            raise ReleaseFilesError(f"{folder} is not release {release.version}: {', '.join(wrong)}. Fetch it again.")
        return release

    @property
    def version(self) -> str:
        return str(self.record["version"])

    @property
    def image(self) -> str:
        """Return the name of the image with its digest."""
        return f"{self.record['image']['repository']}@{self.record['image']['digest']}"

    @property
    def chart_digest(self) -> str:
        return str(self.record["chart"]["digest"])

    def bridge(self, platform: str) -> Path:
        """Return the bridge for a platform such as linux/amd64."""
        return self.folder / bridge_name(platform)

    def bridge_sha256(self, platform: str) -> str:
        """Return the SHA-256 of the bridge for a platform."""
        return str(self.record["bridges"][platform]["sha256"])

    def _find_wrong_files(self) -> Iterator[str]:
        for part in ("image", "chart"):
            if read_digest(self.folder / part) != self.record[part]["digest"]:
                yield f"{part} does not have the digest {self.record[part]['digest']}"
            yield from (f"{part}/{blob} is not what its name says" for blob in find_wrong_blobs(self.folder / part))
        for platform, bridge in self.record["bridges"].items():
            path = self.bridge(platform)
            if path.exists() and hash_file(path) != bridge["sha256"]:
                yield f"{path.name} does not have the SHA-256 {bridge['sha256']}"


def find_wrong_blobs(layout: Path) -> Iterator[str]:
    """Return the blobs of an OCI image layout whose content does not have the digest in their name."""
    for blob in sorted((layout / "blobs/sha256").iterdir()):
        with blob.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != blob.name:
                yield blob.name


def parse_version(text: str) -> Version:
    """Return the version X.Y.Z."""
    major, minor, patch = text.split(".")
    return Version(int(major), int(minor), int(patch))
