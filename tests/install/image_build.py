"""Build of the image: the Dockerfile's stages, each with only the files that it copies, without a container engine.

Usage: python -m tests.install.image_build     writes .cache/image/skywalking-provider.tar
"""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.install.install_tools import ROOT

IMAGE = ROOT / ".cache" / "image"
ARCHIVE = IMAGE / "skywalking-provider.tar"
NAME = "ghcr.io/skywalking-provider/skywalking-provider:0.1.0"  # the default of the chart
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


def stage(name: str) -> str:
    """Return the instructions of one stage, one per line."""
    found = re.search(rf"^FROM [^\n]*(?<= AS ){name}$(.*?)(?=^FROM )", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1].replace("\\\n", " ")


def context(name: str, folder: Path) -> Path:
    """Return the files that a stage copies from a fresh clone, except those that .dockerignore excludes."""
    anywhere = [line.removeprefix("**/") for line in IGNORED if line.startswith("**/")]
    shutil.rmtree(folder, ignore_errors=True)
    for arguments in re.findall(r"^COPY (?!--from)(.*)$", stage(name), re.MULTILINE):
        *sources, target = arguments.split()
        for source in sources:
            to = folder / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns(*anywhere), dirs_exist_ok=True)
            else:
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, to)
    for line in IGNORED:
        if line[:1] not in "#!*":
            shutil.rmtree(folder / line, ignore_errors=True)
    return folder


@cache
def build_image() -> Path:
    """Run the stages in order, once in a test run, and return the root of the image. Needs root and Debian 12."""
    sources, bridges, root = context("go", IMAGE / "go"), IMAGE / "bridges", IMAGE / "root"
    subprocess.run([sources / "expr" / "build"], env=os.environ | {"GOTOOLCHAIN": "auto"}, check=True)
    subprocess.run([sources / "image" / "bridges", bridges], check=True)
    wasm = Path("skywalking_provider/conditions/expr/expr.wasm")
    shutil.copy(sources / wasm, context("root", IMAGE / "src") / wasm)
    subprocess.run([IMAGE / "src" / "image" / "root", root, bridges], check=True)
    return root


def write_archive() -> Path:
    """Build the image and return its archive, as lab/node imports it."""
    tool, dockerfile = ROOT / ".cache/bin/oci-image", ROOT / "Dockerfile"
    assert tool.exists(), f"{tool} is missing. Run make .cache/bin/oci-image."
    command = [tool, f"--dockerfile={dockerfile}", NAME, ARCHIVE, build_image()]
    subprocess.run(command, check=True, capture_output=True)
    return ARCHIVE


def instruction(name: str) -> list[str]:
    """Return the arguments of the last stage's instructions with this name."""
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM") :].replace("\\\n", " ")
    return re.findall(rf"^\s*{name}\s+(.*)$", last, re.MULTILINE)


if __name__ == "__main__":
    write_archive()
