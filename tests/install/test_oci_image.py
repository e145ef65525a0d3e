"""Images that `tools/oci_image.py` writes from root directories."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.install.install_tools import ROOT

TOOL = ROOT / "tools" / "oci_image.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "program").write_bytes(b"program")
    (folder / "bin" / "program").chmod(0o755)
    (folder / "bin" / "link").symlink_to("program")
    (folder / "bin" / "again").hardlink_to(folder / "bin" / "program")
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    return folder


def write(root: Path, archive: Path, *arguments: str) -> bytes:
    subprocess.run([sys.executable, TOOL, "registry.lab/program:2", root, archive, *arguments], check=True)
    return archive.read_bytes()


def read_members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


def follow(members: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    """Return the blob of a descriptor, which must have its digest and size."""
    algorithm, _, digest = descriptor["digest"].partition(":")
    blob = members[f"blobs/{algorithm}/{digest}"]
    assert (hashlib.sha256(blob).hexdigest(), len(blob)) == (digest, descriptor["size"])
    return blob


def read_image(archive: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return the entry of the index, the configuration, and the layer."""
    members = read_members(archive)
    assert json.loads(members["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    [entry] = json.loads(members["index.json"])["manifests"]
    manifest = json.loads(follow(members, entry))
    [layer] = manifest["layers"]
    config = json.loads(follow(members, manifest["config"]))
    assert config["rootfs"]["diff_ids"] == [layer["digest"]]
    return entry, config, follow(members, layer)


def test_image_layer_has_the_files_with_owners_and_modes(root: Path, tmp_path: Path) -> None:
    _, _, layer = read_image(write(root, tmp_path / "image.tar"))

    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        members = {member.name: member for member in tar}
    assert sorted(members) == [".", "bin", "bin/again", "bin/link", "bin/program", "tmp"]
    assert (members["bin/program"].islnk(), members["bin/program"].linkname) == (True, "bin/again")
    assert (members["bin/again"].mode, members["bin/again"].uid) == (0o755, os.getuid())
    assert (members["bin/link"].issym(), members["bin/link"].linkname) == (True, "program")
    assert members["tmp"].mode == 0o1777
    assert {member.mtime for member in members.values()} == {0}


def test_image_of_the_same_files_has_the_same_bytes(root: Path, tmp_path: Path) -> None:
    first = write(root, tmp_path / "first.tar")
    os.utime(root / "bin" / "program", (1, 1))

    assert write(root, tmp_path / "second.tar") == first
    (root / "bin" / "program").write_bytes(b"changed")
    assert write(root, tmp_path / "third.tar") != first


def test_image_has_its_name_and_the_given_configuration(root: Path, tmp_path: Path) -> None:
    words = (
        "--user=999",
        "--env=A=b",
        "--env=C=d",
        "--workdir=/tmp",
        "--entrypoint=/bin/program",
        "--cmd=x",
        "--cmd=y",
    )
    entry, config, _ = read_image(write(root, tmp_path / "image.tar", *words))

    assert entry["annotations"]["io.containerd.image.name"] == "registry.lab/program:2"
    assert (config["os"], config["architecture"]) in {("linux", "amd64"), ("linux", "arm64")}
    assert config["config"] == {
        "User": "999",
        "Env": ["A=b", "C=d"],
        "WorkingDir": "/tmp",  # noqa: S108
        "Entrypoint": ["/bin/program"],
        "Cmd": ["x", "y"],
    }


def test_image_configuration_is_that_of_the_dockerfile(root: Path, tmp_path: Path) -> None:
    _, config, _ = read_image(write(root, tmp_path / "image.tar", f"--dockerfile={ROOT / 'Dockerfile'}"))

    assert config["config"] == {
        "User": "999:999",
        "Env": ["PATH=/usr/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
        "Entrypoint": ["skywalking-provider"],
        "Cmd": ["serve", "--config", "/etc/skywalking-provider/config.yaml"],
    }
