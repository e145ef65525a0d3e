#!/usr/bin/env python3
"""Write a root directory as an image with one layer: an OCI image layout in a tar, as `ctr images import` reads it.

Usage: python3 tools/oci_image.py NAME ROOT OUT.tar [--dockerfile FILE] [--user U] [--env K=V]... [--workdir DIR]
           [--entrypoint WORD]... [--cmd WORD]...

The same files give the same bytes. `--dockerfile` takes the configuration from the last stage of a Dockerfile.
"""

import argparse
import hashlib
import io
import json
import platform
import re
import shlex
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MEDIA_TYPE = "application/vnd.oci.image."


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """Defaults of an image's containers."""

    user: str = ""
    env: tuple[str, ...] = ()
    workdir: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()

    @classmethod
    def from_dockerfile(cls, text: str) -> Self:
        """Read USER, ENV, WORKDIR, ENTRYPOINT and CMD of the last stage. The last two must be JSON arrays."""
        stage = text[text.rindex("\nFROM ") :].replace("\\\n", " ")
        found: dict[str, str] = dict(re.findall(r"^(USER|ENV|WORKDIR|ENTRYPOINT|CMD)\s+(.*)$", stage, re.MULTILINE))
        return cls(
            found.get("USER", ""),
            tuple(shlex.split(found.get("ENV", ""))),
            found.get("WORKDIR", ""),
            tuple(json.loads(found.get("ENTRYPOINT", "[]"))),
            tuple(json.loads(found.get("CMD", "[]"))),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the `config` object of the OCI image configuration, without empty fields."""
        fields = {
            "User": self.user,
            "Env": list(self.env),
            "WorkingDir": self.workdir,
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
        }
        return {key: value for key, value in fields.items() if value}


def write_image(name: str, root: Path, archive: Path, config: ImageConfig, architecture: str = "") -> None:
    """Write the archive in one step, so that a reader never finds a part of it.

    Args:
        name: Name of the image with its tag.
        root: Root directory of the image.
        archive: File to write.
        config: Defaults of the containers.
        architecture: Architecture as Go names it; empty for this machine's.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        layer, new = Path(folder, "layer.tar"), Path(folder, "image.tar")
        write_layer(root, layer)
        with layer.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        layer_entry = describe("layer.v1.tar", digest, layer.stat().st_size)
        image = {
            "architecture": architecture or ARCHITECTURES[platform.machine()],
            "os": "linux",
            "config": config.to_json(),
            "rootfs": {"type": "layers", "diff_ids": [layer_entry["digest"]]},
        }
        blobs: list[bytes] = []
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA_TYPE}manifest.v1+json",
            "config": add_blob(blobs, "config.v1+json", image),
            "layers": [layer_entry],
        }
        entry = add_blob(blobs, "manifest.v1+json", manifest)
        entry["annotations"] = {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        }
        with tarfile.open(new, "w") as tar:
            add_bytes(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            add_bytes(tar, "index.json", to_bytes({"schemaVersion": 2, "manifests": [entry]}))
            for blob in blobs:
                add_bytes(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
            add_file(tar, f"blobs/sha256/{digest}", layer)
        new.replace(archive)


def write_layer(root: Path, layer: Path) -> None:
    """Write all files below a directory with their owners and modes, but without their times."""
    with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in [root, *sorted(root.rglob("*"))]:
            info = tar.gettarinfo(path, path.relative_to(root).as_posix())
            info.uname = info.gname = ""
            info.mtime = 0
            if info.isreg():
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)


def describe(kind: str, digest: str, size: int) -> dict[str, Any]:
    """Return the descriptor of a blob."""
    return {"mediaType": MEDIA_TYPE + kind, "digest": f"sha256:{digest}", "size": size}


def add_blob(blobs: list[bytes], kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """Append an object to the blobs and return its descriptor."""
    blob = to_bytes(content)
    blobs.append(blob)
    return describe(kind, hashlib.sha256(blob).hexdigest(), len(blob))


def to_bytes(content: dict[str, Any]) -> bytes:
    """Return an object as JSON."""
    return json.dumps(content, sort_keys=True).encode()


def add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with this content."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    """Add a file without the times and the owner of its source."""
    info = tarfile.TarInfo(name)
    info.size = path.stat().st_size
    with path.open("rb") as file:
        tar.addfile(info, file)


def main() -> None:
    """Write an image as the command line describes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("root", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--dockerfile", type=Path)
    parser.add_argument("--user", default="")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--workdir", default="")
    parser.add_argument("--entrypoint", action="append", default=[])
    parser.add_argument("--cmd", action="append", default=[])
    given = parser.parse_args()
    if given.dockerfile:
        config = ImageConfig.from_dockerfile(given.dockerfile.read_text(encoding="utf-8"))
    else:
        config = ImageConfig(given.user, tuple(given.env), given.workdir, tuple(given.entrypoint), tuple(given.cmd))
    write_image(given.name, given.root, given.archive, config)
    print(f"{given.name}: {given.archive.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
