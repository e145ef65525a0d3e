"""Previous release: the newest one before this version, from a folder or fetched by its digests.

docs/releases has one record for each release. Before the first one, the caller uses a stand-in (stand_in.py).
"""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

from tests.releases.release import Release, ReleaseFilesError, parse_version

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "docs" / "releases"
FOLDER = "PREVIOUS_RELEASE"
"""Environment variable with a folder of the artifacts, for a machine that cannot fetch them."""
_HINT = f"Set {FOLDER} to a folder with the artifacts of the release."


def find_record(records: Path, version: str) -> Path | None:
    """Return the record of the newest release before a version; None before the first one."""
    older = {parse_version(path.stem): path for path in records.glob("*.json")}
    return max(((one, path) for one, path in older.items() if one < parse_version(version)), default=(None, None))[1]


def obtain(record: Path, folder: Path) -> Release:
    """Return the release of a record, whose artifacts are copied from `PREVIOUS_RELEASE` or fetched to the folder.

    Raises:
        ReleaseFilesError: The artifacts cannot be fetched, or have other digests than the record.
    """
    kept = folder / "release.json"
    if given := os.environ.get(FOLDER):
        Release.read(Path(given), record)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(given, folder)
    elif not kept.exists() or kept.read_text() != record.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fetch(Release(folder, json.loads(record.read_text())))
    release = Release.read(folder, record)
    shutil.copy(record, kept)
    return release


def fetch(release: Release) -> None:
    """Fetch image and chart by digest, and the bridges for Linux by their addresses, to the folder of a release."""
    for part in ("image", "chart"):
        entry = release.record[part]
        source = f"{entry['repository']}@{entry['digest']}"
        command = [ROOT / ".cache/bin/crane", "pull", "--format=oci", source, release.folder / part]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ReleaseFilesError(f"{source} not fetched: {done.stderr.strip()}. {_HINT}")
    for platform, bridge in release.record["bridges"].items():
        if platform.startswith("linux/"):
            try:
                with urllib.request.urlopen(bridge["url"], timeout=60) as response:  # noqa: S310 - the record's URL
                    release.bridge(platform).write_bytes(response.read())
            except OSError as error:
                raise ReleaseFilesError(f"{bridge['url']} not fetched: {error}. {_HINT}") from error
