"""Releases of two clean clones, and a registry with the first one."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.release.registry import ROOT, extract_programs, run_registry
from tools.release.plan import CHART, IMAGE

BIN = ROOT / ".cache/bin"
TOOLS = ("helm", "oci-image", "oci-chart", "spdx", "crane")
SETTINGS: dict[str, tuple[int, dict[str, str]]] = {
    "one": (0o022, {"TZ": "Asia/Tokyo", "LANG": "C.UTF-8"}),
    "another-one": (0o077, {"TZ": "America/New_York", "LC_ALL": "tr_TR.UTF-8", "SOURCE_DATE_EPOCH": "1"}),
}
"""Umask and environment by the folder of a clone."""


@dataclass(frozen=True, slots=True)
class Published:
    """Artifacts of a release in a registry.

    Attributes:
        dist: Folder of the release.
        registry: HOST:PORT of the registry.
        programs: Folder of cosign.
        keys: Folder of cosign.key and cosign.pub.
    """

    dist: Path
    registry: str
    programs: Path
    keys: Path

    def summary(self) -> dict[str, Any]:
        """Return release.json."""
        summary: dict[str, Any] = json.loads((self.dist / "release.json").read_text())
        return summary

    def reference(self, artifact: str, digest: str | None = None) -> str:
        """Return the reference of the image or chart by digest."""
        names = {"image": IMAGE, "chart": CHART}
        return f"{self.replace_registry(names[artifact])}@{digest or self.summary()[artifact]['digest']}"

    def replace_registry(self, text: str) -> str:
        """Return a text with this registry instead of GitHub's."""
        return text.replace("ghcr.io/", f"{self.registry}/")

    def run(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program that may fail. No configuration of the user has an effect on it."""
        home = {"HOME": str(self.keys), "DOCKER_CONFIG": str(self.keys), "COSIGN_PASSWORD": ""}
        path = {"PATH": f"{self.programs}:{BIN}:{os.environ['PATH']}"}
        return subprocess.run(
            command, cwd=cwd, env=os.environ | home | path, capture_output=True, text=True, check=False, timeout=120
        )

    def succeed(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Run a program and return its output."""
        done = self.run(*command, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def push(self, layout: Path, artifact: str, tag: str) -> str:
        """Push an OCI image layout, sign it and return its digest."""
        repository = self.reference(artifact).partition("@")[0]
        self.succeed("crane", "push", layout, f"{repository}:{tag}")
        return self.succeed("crane", "digest", f"{repository}:{tag}").strip()

    def sign(self, reference: str) -> None:
        """Sign an artifact. There is no transparency log without a network."""
        self.succeed("cosign", "sign", "--yes", "--tlog-upload=false", f"--key={self.keys / 'cosign.key'}", reference)


def build_in_clone(folder: Path) -> Path:
    """Build the release of a clean clone of this checkout's commit and return its `dist`."""
    umask, settings = SETTINGS[folder.name]
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True, umask=umask)
    tools = folder / ".cache/bin"
    tools.mkdir(parents=True)
    for tool in TOOLS:  # built by the Go release that the clone would build them with
        shutil.copyfile(BIN / tool, tools / tool)
        (tools / tool).chmod(0o755)
    shared = {"IMAGE_CACHE": os.environ.get("IMAGE_CACHE", str(ROOT / ".cache/image/files"))}
    environment = {name: value for name, value in os.environ.items() if not re.match(r"MAKE|MFLAGS|LANG|LC_", name)}
    done = subprocess.run(
        ["make", "release", "PLATFORMS=linux/amd64"],
        cwd=folder,
        env=environment | shared | settings,
        umask=umask,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build two releases side by side."""
    folder = tmp_path_factory.mktemp("release")
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(build_in_clone, [folder / name for name in SETTINGS])
    return first, second


@pytest.fixture(scope="session")
def published(releases: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Push the first release to a registry, and sign image, chart and checksums with a key pair made for the test."""
    folder = tmp_path_factory.mktemp("registry")
    programs = extract_programs(folder / "programs")
    with run_registry(programs / "docker-registry", folder) as registry:
        published = Published(releases[0], registry, programs, folder / "keys")
        published.keys.mkdir()
        published.succeed("cosign", "generate-key-pair", cwd=published.keys)
        for artifact in ("image", "chart"):
            digest = published.push(published.dist / artifact, artifact, published.summary()[artifact]["tag"])
            assert published.reference(artifact).endswith(digest)
            published.sign(published.reference(artifact))
        flags = (f"--key={published.keys / 'cosign.key'}", "--bundle=SHA256SUMS.sigstore.json", "--tlog-upload=false")
        published.succeed("cosign", "sign-blob", "--yes", *flags, "SHA256SUMS", cwd=published.dist)
        yield published
