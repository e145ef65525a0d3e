"""The image for arm64, built on this machine and started in an emulator: `make test-arm64`."""

import os
import subprocess
from pathlib import Path

import pytest

from skywalking_provider import __version__
from tests.install.image_build import DOWNLOADS, IMAGE, build_go, build_image, list_tree
from tests.install.install_tools import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

PACKAGES = Path("usr/lib/python3/dist-packages")
AARCH64, EXECUTABLE = 183, b"\x7fELF"


@pytest.fixture(scope="module")
def image() -> Path:
    root = IMAGE / "root-arm64"
    environment = os.environ | {"IMAGE_CACHE": str(DOWNLOADS)}
    subprocess.run([ROOT / "expr/build"], check=True)
    subprocess.run([ROOT / "image/root", root, build_go(), "arm64"], env=environment, check=True)
    return root


@pytest.fixture(scope="module")
def emulated(image: Path) -> list[str]:
    """Return the command line that runs a program of the image; the emulator is read from outside of the root."""
    command = [ROOT / "image/fetch.py", "packages", "emulator", "amd64"]
    environment = os.environ | {"IMAGE_CACHE": str(DOWNLOADS)}
    package = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", IMAGE, "./usr/bin/qemu-aarch64"], input=archive, check=True)
    return [str(IMAGE / "usr/bin/qemu-aarch64"), "-L", str(image)]


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == EXECUTABLE


def test_arm64_image_has_only_programs_of_arm64(image: Path) -> None:
    files = [path for path in image.rglob("*") if path.is_file() and not path.is_symlink() and is_elf(path)]
    others = [path for path in files if int.from_bytes(path.read_bytes()[18:20], "little") != AARCH64]

    bridge = image / "opt/bridge" / __version__ / "linux-amd64/skywalking-bridge"
    assert others == [bridge]
    assert len(files) > 80
    assert not (image / "emulator").exists()


def test_arm64_image_shared_objects_find_their_libraries(image: Path, emulated: list[str]) -> None:
    loader, libraries = "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1", image / "usr/lib/aarch64-linux-gnu"
    for path in image.rglob("*.so*"):
        if path.is_file() and not path.is_symlink() and is_elf(path):
            command = [*emulated, str(image / loader), "--library-path", str(libraries), "--list", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_arm64_image_evaluates_a_condition(image: Path, emulated: list[str]) -> None:
    program = (
        "import sys; from skywalking_provider.conditions.expr.wasm_module import is_precompiled, read_wasm;"
        "print(sys.version_info[:2], is_precompiled(read_wasm()))"
    )
    command = [*emulated, str(image / "usr/bin/python3.13"), "-IB", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stdout == "(3, 13) True\n", done.stderr


def test_arm64_image_has_the_modules_of_amd64(image: Path) -> None:
    """Compare everything except libraries, the machine's configuration, and what lists the architecture."""
    specific = (".so", "x86_64", "aarch64", "lib64", "/status.d/", "/sboms/", "usr/bin/python", "dist-info/WHEEL")
    amd64, arm64 = (
        {path: value for path, value in list_tree(root).items() if not any(part in path for part in specific)}
        for root in (build_image(), image)
    )

    assert {
        path: (amd64.get(path), arm64.get(path)) for path in amd64 | arm64 if amd64.get(path) != arm64.get(path)
    } == {}
    assert len(arm64) > 5000
