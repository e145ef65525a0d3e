"""Search for the previous release, its fetch by digest and the check of its files."""

import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.releases.previous import FOLDER, find_record, obtain
from tests.releases.release import Release, ReleaseFilesError
from tests.releases.stand_in import add_label
from tools.release.build import hash_file, read_digest

ROOT = Path(__file__).parents[2]
CRANE = ROOT / ".cache/bin/crane"
PLATFORM = "linux/amd64"


def write_layout(folder: Path, content: str) -> None:
    """Write an OCI image layout with one image of one file."""
    root = folder.with_suffix(".root")
    root.mkdir()
    (root / "file").write_text(content)
    command = [ROOT / ".cache/bin/oci-image", "registry.example.org/image:1", folder, root]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """Return the folder of a small release."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for part in ("image", "chart"):
        write_layout(folder / part, part)
    bridge = folder / "skywalking-bridge-linux-amd64"
    bridge.write_text("bridge")
    parts = {
        part: {"repository": f"ghcr.io/example/{part}", "digest": read_digest(folder / part)}
        for part in ("image", "chart")
    }
    bridges = {PLATFORM: {"url": "http://127.0.0.1:1/", "sha256": hash_file(bridge)}}
    (folder / "release.json").write_text(json.dumps({"version": "0.1.0", "bridges": bridges} | parts))
    return folder


def damage_bridge(folder: Path) -> None:
    (folder / "skywalking-bridge-linux-amd64").write_text("another one")


def damage_blob(folder: Path) -> None:
    layout = folder / "image"
    (layout / "blobs/sha256" / read_digest(layout).partition(":")[2]).write_text("{}")


def replace_chart(folder: Path) -> None:
    add_label(folder / "chart", "another", "one")


def test_release_is_read_if_all_digests_are_right(dist: Path) -> None:
    release = Release.read(dist)

    assert release.version == "0.1.0"
    assert release.image == f"ghcr.io/example/image@{read_digest(dist / 'image')}"
    assert release.bridge(PLATFORM).read_text() == "bridge"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_bridge, "skywalking-bridge-linux-amd64 does not have the SHA-256 "),
        (damage_blob, "image/[0-9a-f]{64} is not what its name says"),
        (replace_chart, "chart does not have the digest sha256:"),
    ],
)
def test_changed_file_of_a_release_is_rejected(dist: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(dist)

    with pytest.raises(ReleaseFilesError, match=f"is not release 0.1.0: {message}"):
        Release.read(dist)


@pytest.mark.parametrize(
    ("version", "found"), [("0.1.0", None), ("0.1.1", "0.1.0"), ("0.10.0", "0.9.0"), ("1.0.0", "0.10.0")]
)
def test_record_is_that_of_the_newest_older_release(tmp_path: Path, version: str, found: str | None) -> None:
    for name in ("0.1.0", "0.9.0", "0.10.0", "1.0.0"):
        (tmp_path / f"{name}.json").touch()

    record = find_record(tmp_path, version)

    assert (record.stem if record else None) == found


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def downloads(dist: Path) -> Iterator[str]:
    """Serve the files of the release by HTTP."""
    handler = functools.partial(QuietHandler, directory=str(dist))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def registry(dist: Path) -> Iterator[str]:
    """Start a registry with image and chart of the release."""
    with subprocess.Popen(
        [CRANE, "registry", "serve", "--address", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            address = f"127.0.0.1:{process.stderr.readline().rpartition(' ')[2].strip()}"
            for part in ("image", "chart"):
                push = [CRANE, "push", "--insecure", dist / part, f"{address}/example/{part}:0.1.0"]
                subprocess.run(push, check=True, capture_output=True)
            yield address
        finally:
            process.kill()


@pytest.fixture
def record(dist: Path, downloads: str, registry: str) -> Path:
    """Return the record that the repository keeps of the release."""
    content = json.loads((dist / "release.json").read_text())
    for part in ("image", "chart"):
        content[part]["repository"] = f"{registry}/example/{part}"
    content["bridges"][PLATFORM]["url"] = f"{downloads}/skywalking-bridge-linux-amd64"
    path = dist.with_name("0.1.0.json")
    path.write_text(json.dumps(content))
    return path


def change_record(record: Path, *keys: str, value: str) -> None:
    content = json.loads(record.read_text())
    part = content
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    record.write_text(json.dumps(content))


def test_release_is_fetched_once_by_its_digests(record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = obtain(record, tmp_path / "fetched")
    monkeypatch.setattr("tests.releases.previous.fetch", pytest.fail)
    second = obtain(record, tmp_path / "fetched")

    assert first == second == Release.read(tmp_path / "fetched")
    assert second.bridge(PLATFORM).read_text() == "bridge"


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("image", "digest"), "sha256:" + "0" * 64, "image@sha256:0+ not fetched: .* Set PREVIOUS_RELEASE to a folder"),
        (("bridges", PLATFORM, "url"), "http://127.0.0.1:1/", "127.0.0.1:1/ not fetched: .* Set PREVIOUS_RELEASE to"),
        (("bridges", PLATFORM, "sha256"), "0" * 64, "skywalking-bridge-linux-amd64 does not have the SHA-256 0"),
    ],
)
def test_artifact_that_is_missing_or_another_one_is_an_error(
    record: Path, tmp_path: Path, keys: tuple[str, ...], value: str, message: str
) -> None:
    change_record(record, *keys, value=value)

    with pytest.raises(ReleaseFilesError, match=message):
        obtain(record, tmp_path / "fetched")


def test_given_folder_takes_the_place_of_the_fetch(
    dist: Path, record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(dist))
    change_record(record, "bridges", PLATFORM, "url", value="http://127.0.0.1:1/")

    assert obtain(record, tmp_path / "copied").bridge(PLATFORM).read_text() == "bridge"

    change_record(record, "image", "digest", value="sha256:" + "0" * 64)
    with pytest.raises(ReleaseFilesError, match="image does not have the digest"):
        obtain(record, tmp_path / "copied")
