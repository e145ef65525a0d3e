"""Search for the previous release, its fetch by digest and the check of its files."""

import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.releases.previous import FOLDER, fetch, find_record, obtain
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


def test_release_with_another_record_is_rejected(dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = json.loads((dist / "release.json").read_text())
    record["image"]["digest"] = "sha256:" + "0" * 64
    (tmp_path / "0.1.0.json").write_text(json.dumps(record))
    monkeypatch.setenv(FOLDER, str(dist))

    with pytest.raises(ReleaseFilesError, match="image does not have the digest"):
        obtain(tmp_path / "0.1.0.json", tmp_path / "unused")


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


def test_release_is_fetched_by_digest(dist: Path, tmp_path: Path, downloads: str, registry: str) -> None:
    record = json.loads((dist / "release.json").read_text())
    record["bridges"][PLATFORM]["url"] = f"{downloads}/skywalking-bridge-linux-amd64"
    (tmp_path / "0.1.0.json").write_text(json.dumps(record))
    folder = tmp_path / "fetched"
    folder.mkdir()

    fetch(Release(folder, record), registry)

    fetched = Release.read(folder, tmp_path / "0.1.0.json")
    assert fetched.bridge(PLATFORM).read_text() == "bridge"
    record["image"]["digest"] = "sha256:" + "0" * 64
    with pytest.raises(ReleaseFilesError, match=f"image of release 0.1.0 not fetched: .* Set {FOLDER} to a folder"):
        fetch(Release(folder, record), registry)


def test_unreachable_bridge_is_an_error_with_the_way_out(dist: Path, tmp_path: Path, registry: str) -> None:
    record = json.loads((dist / "release.json").read_text())
    folder = tmp_path / "fetched"
    folder.mkdir()

    with pytest.raises(ReleaseFilesError, match=f"http://127.0.0.1:1/ not fetched: .* Set {FOLDER} to a folder"):
        fetch(Release(folder, record), registry)
