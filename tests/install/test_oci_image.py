"""Images that oci-image writes from root directories."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.install.install_tools import ROOT

TOOL = ROOT / ".cache/bin/oci-image"
NAME = "registry.lab/program:2"


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


def write(out: Path, *roots: str | Path, flags: tuple[str, ...] = ()) -> Path:
    assert TOOL.exists(), "oci-image is not built. Run make .cache/bin/oci-image."
    done = subprocess.run([TOOL, *flags, NAME, out, *roots], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def read_archive(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


def read_folder(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def follow(members: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    """Return the blob of a descriptor, which must have its digest and size."""
    algorithm, _, digest = descriptor["digest"].partition(":")
    blob = members[f"blobs/{algorithm}/{digest}"]
    assert (hashlib.sha256(blob).hexdigest(), len(blob)) == (digest, descriptor["size"])
    return blob


def read_entries(members: dict[str, bytes]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the only entry of the layout, and the entries of its index."""
    assert json.loads(members["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    [entry] = json.loads(members["index.json"])["manifests"]
    return entry, json.loads(follow(members, entry))["manifests"]


def read_image(members: dict[str, bytes], entry: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the configuration and the uncompressed layer of an entry."""
    manifest = json.loads(follow(members, entry))
    [layer] = manifest["layers"]
    config = json.loads(follow(members, manifest["config"]))
    content = follow(members, layer)
    if layer["mediaType"].endswith("+gzip"):
        content = gzip.decompress(content)
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]
    assert {name: config[name] for name in ("os", "architecture")} == entry["platform"]
    return config, content


def read_config(archive: Path) -> dict[str, Any]:
    members = read_archive(archive)
    _, [entry] = read_entries(members)
    config: dict[str, Any] = read_image(members, entry)[0]["config"]
    return config


def test_layer_has_the_files_in_order_with_owners_modes_and_one_time(root: Path, tmp_path: Path) -> None:
    members = read_archive(write(tmp_path / "image.tar", root, flags=("--epoch=1700000000",)))
    _, [entry] = read_entries(members)
    config, layer = read_image(members, entry)

    assert config["created"] == "2023-11-14T22:13:20Z"
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        files = {member.name: member for member in tar}
    assert list(files) == ["bin", "bin/again", "bin/link", "bin/program", "tmp"]
    assert (files["bin/program"].islnk(), files["bin/program"].linkname) == (True, "bin/again")
    assert (files["bin/again"].mode, files["bin/again"].uid, files["bin/again"].uname) == (0o755, os.getuid(), "")
    assert (files["bin/link"].issym(), files["bin/link"].linkname) == (True, "program")
    assert files["tmp"].mode == 0o1777
    assert {member.mtime for member in files.values()} == {1_700_000_000}


@pytest.mark.parametrize("out", ["image", "image.tar"])
def test_image_of_the_same_files_has_the_same_bytes(root: Path, tmp_path: Path, out: str) -> None:
    def read(name: str) -> dict[str, bytes]:
        path = write(tmp_path / name / out, root)
        return read_folder(path) if path.is_dir() else {out: path.read_bytes()}

    first = read("first")
    os.utime(root / "bin" / "program", (1, 1))

    assert read("second") == first
    (root / "bin" / "program").write_bytes(b"changed")
    assert read("third") != first


def test_layout_has_one_index_with_an_image_for_each_platform(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "program").write_bytes(b"another program")
    members = read_folder(write(tmp_path / "image", f"linux/amd64={root}", f"linux/arm64={other}"))
    entry, images = read_entries(members)

    assert entry["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert entry["annotations"]["io.containerd.image.name"] == NAME
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "2"
    assert [image["platform"]["architecture"] for image in images] == ["amd64", "arm64"]
    layers = [read_image(members, image)[1] for image in images]
    assert [b"another program" in layer for layer in layers] == [False, True]


def test_image_has_the_configuration_of_the_flags(root: Path, tmp_path: Path) -> None:
    flags = (
        "--user=999",
        "--env=A=b",
        "--env=C=d",
        "--workdir=/tmp",
        "--entrypoint=/bin/program",
        "--cmd=x",
        "--cmd=y",
    )

    assert read_config(write(tmp_path / "image.tar", root, flags=flags)) == {
        "User": "999",
        "Env": ["A=b", "C=d"],
        "WorkingDir": "/tmp",  # noqa: S108
        "Entrypoint": ["/bin/program"],
        "Cmd": ["x", "y"],
    }


def test_image_has_the_configuration_of_the_dockerfile(root: Path, tmp_path: Path) -> None:
    flags = (f"--dockerfile={ROOT / 'Dockerfile'}", "--arg=REVISION=abc")
    config = read_config(write(tmp_path / "image.tar", root, flags=flags))

    labels = config.pop("Labels")
    assert labels["org.opencontainers.image.revision"] == "abc"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config == {
        "User": "999:999",
        "Env": ["PATH=/usr/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
        "Entrypoint": ["skywalking-provider"],
        "Cmd": ["serve", "--config", "/etc/skywalking-provider/config.yaml"],
        "ExposedPorts": {"9464/tcp": {}, "9500/tcp": {}},
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ENTRYPOINT program --flag", "ENTRYPOINT is not a JSON array"),
        ("VOLUME /data", "VOLUME in the last stage is not supported"),
    ],
)
def test_instruction_that_would_be_lost_is_rejected(root: Path, tmp_path: Path, line: str, message: str) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(f"FROM scratch\n{line}\n")
    command = [TOOL, f"--dockerfile={dockerfile}", NAME, tmp_path / "image.tar", root]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "image.tar").exists()
