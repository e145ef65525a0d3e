"""Build of the image: the Dockerfile's stages, each with only the files that it copies, without a container engine.

Usage: python -m tests.install.image_build     writes .cache/image/skywalking-provider.tar
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.install.debian_13 import make_base, run_above
from tests.install.install_tools import ROOT

IMAGE = ROOT / ".cache" / "image"
ARCHIVE = IMAGE / "skywalking-provider.tar"
DOWNLOADS = IMAGE / "files"
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


def run_instructions(name: str) -> list[str]:
    """Return the shell commands of a stage."""
    return re.findall(r"^RUN (.*)$", stage(name), re.MULTILINE)


@cache
def build_go() -> Path:
    """Run the stage with Go, once in a test run, and return the folder with its bridges."""
    sources, bridges = context("go", IMAGE / "go"), IMAGE / "bridges"
    subprocess.run([sources / "expr" / "build"], check=True)
    subprocess.run([sources / "image" / "bridges", bridges], check=True)
    return bridges


@cache
def build_image() -> Path:
    """Run the stages in order, once in a test run, and return the root of the image. Needs root.

    The stage `root` runs in a Debian 13 root. Its files are above an overlay, so that each build starts with the same.
    """
    bridges, sources = build_go(), context("root", IMAGE / "src")
    wasm = Path("skywalking_provider/conditions/expr/expr.wasm")
    shutil.copy(IMAGE / "go" / wasm, sources / wasm)
    preparation, build = run_instructions("root")
    cached = re.findall(r"--mount=type=cache,target=(\S+) ", build)
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    layer = IMAGE / "layer"
    run_above(
        make_base(IMAGE, preparation),
        layer,
        re.sub(r"--mount=\S+ ", "", build),
        cwd="/src",
        env={"TARGETARCH": "amd64", "SOURCE_DATE_EPOCH": "0"},
        mounts={"/src": sources, "/bridges": bridges} | dict.fromkeys(cached, DOWNLOADS),
    )
    return layer / "image"


def build_on_this_machine(root: Path) -> Path:
    """Build the root in the checkout, as `make release` does, with other settings of the user."""
    subprocess.run([ROOT / "expr" / "build"], check=True)
    subprocess.run(
        ["bash", "-c", f"umask 077; exec {shlex.join([str(ROOT / 'image/root'), str(root), str(build_go())])}"],
        env=os.environ
        | {
            "IMAGE_CACHE": str(DOWNLOADS),
            "PYTHONHASHSEED": "7",
            "UV_CONSTRAINT": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "TZ": "Asia/Tokyo",
            "SOURCE_DATE_EPOCH": "0",
        },
        check=True,
    )
    return root


def list_tree(root: Path) -> dict[str, str]:
    """Return what an image contains of each path: type and mode, owner, time, and content or target."""
    return {str(path.relative_to(root)): describe(path) for path in [root, *sorted(root.rglob("*"))]}


def describe(path: Path) -> str:
    status = path.lstat()
    if path.is_symlink():
        content = str(path.readlink())
    else:
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {status.st_mtime_ns} {content}"


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
