"""Images of the talk's pods, as archives for lab/node: the application's versions, and Envoy.

Usage: python -m bench.talk.images FOLDER
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.talk.lab_parts import PROGRAMS
from bench.talk.manifests import ROOT
from bench.talk.mesh import ENVOY_IMAGE
from bench.talk.versions import FIRST, UPDATES

_TOOL = ROOT / ".cache" / "bin" / "oci-image"


def write_images(folder: Path) -> None:
    """Write the archives of all images to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        _copy(PROGRAMS / "reviews", root / "reviews")
        for version in (FIRST, *UPDATES):
            name = f"docker.io/library/{version.image}"  # containerd's name of an image without registry
            flags = (f"--cmd=--version={version.name}", f"--cmd=--behaviour={version.behaviour}")
            _write_image(name, root, folder / f"reviews-{version.name}.tar", "--entrypoint=/reviews", *flags)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        _copy(PROGRAMS / "envoy", root / "envoy")
        for library in _list_libraries(PROGRAMS / "envoy"):
            _copy(library, root / library.relative_to("/"))
        _write_image(ENVOY_IMAGE, root, folder / "envoy.tar", "--entrypoint=/envoy")


def _list_libraries(program: Path) -> list[Path]:
    """Return the shared libraries of a program, with its loader."""
    output = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [Path(one) for one in re.findall(r"(/\S+) \(0x", output)]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _write_image(name: str, root: Path, archive: Path, *arguments: str) -> None:
    subprocess.run([_TOOL, *arguments, name, archive, root], check=True)


if __name__ == "__main__":
    write_images(Path(sys.argv[1]))
