"""Build of the artifacts of a release with the scripts and tools of the repository."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tools.release.plan import (
    IMAGE,
    REPOSITORY,
    Plan,
    bridge_name,
    stamp_bridge_checksums,
    stamp_image_digest,
)
from tools.release.source import Source, set_times

_LAYOUT_INDEX = "index.json"
_WASM = "skywalking_provider/conditions/expr/expr.wasm"
_SOURCES = {"UV_DEFAULT_INDEX", "UV_HTTP_TIMEOUT", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}
"""Settings of where packages come from, as in image/lib.sh. They are free, because hashes are checked."""


class Builder:
    """Builder of the artifacts in a work folder.

    Each step reads only the exported source and the output of earlier steps.
    """

    def __init__(self, source: Source, plan: Plan, work: Path, tools: Path, out: Path) -> None:
        """Prepare a build.

        Args:
            source: Commit that is built.
            plan: Platforms of the release.
            work: Folder with the exported source in `src`.
            tools: Folder with helm, oci-image, oci-chart and spdx.
            out: Folder of the artifacts.
        """
        self._source, self._plan, self._work, self._tools, self._out = source, plan, work, tools, out
        self._src = work / "src"
        self._environment = build_environment(os.environ, source.epoch, work)
        self._environment.setdefault("IMAGE_CACHE", str(work.parent / "image/files"))
        self._began = time.monotonic()

    def build_condition_language(self) -> None:
        """Build the WebAssembly module that the wheel contains."""
        self._report("Build expr.wasm")
        self._run(self._src / "expr/build")
        os.utime(self._src / _WASM, (self._source.epoch, self._source.epoch))

    def build_bridges(self) -> dict[str, Path]:
        """Build the bridges and return them by platform."""
        self._report(f"Build the bridges: {', '.join(self._plan.bridge_platforms)}")
        built = self._work / "bridges"
        self._run(self._src / "image/bridges", built, *self._plan.bridge_platforms)
        bridges = {}
        for platform in self._plan.bridge_platforms:
            folder = built / self._plan.version / platform.replace("/", "-")
            bridges[platform] = self._out / bridge_name(platform)
            shutil.copy(folder / "skywalking-bridge", bridges[platform])
            if not platform.startswith("linux/"):  # what remains is copied to the image
                shutil.rmtree(folder)
        return bridges

    def build_packages(self) -> None:
        """Build the wheel and the source distribution."""
        self._report("Build the wheel and the source distribution")
        fetch = [sys.executable, str(self._src / "image/fetch.py"), "uv"]
        uv = subprocess.run(fetch, env=self._environment, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        locked = ("--build-constraints", self._src / "requirements/build.lock", "--require-hashes")
        out = ("--no-create-gitignore", "--out-dir", self._out)
        # The wheel is built from the source distribution.
        self._run(uv, "build", "--quiet", "--python", sys.executable, *locked, *out, self._src)

    def build_image(self) -> None:
        """Build the image's roots and write them as an OCI image layout."""
        roots = []
        for platform in self._plan.image_platforms:
            self._report(f"Build the image's file system: {platform}")
            arch = platform.rpartition("/")[2]
            root = self._work / f"root-{arch}"
            self._run(self._src / "image/root", root, self._work / "bridges", arch)
            roots.append(f"{platform}={root}")
        self._report(f"Write the image: {', '.join(self._plan.image_platforms)}")
        arguments = ("-dockerfile", self._src / "Dockerfile", "-epoch", self._source.epoch)
        revision = ("-arg", f"REVISION={self._source.commit}")
        self._run(self._tools / "oci-image", *arguments, *revision, self._plan.image, self._out / "image", *roots)

    def build_chart(self) -> None:
        """Package the chart, whose values have the digests of image and bridges, and write its OCI artifact."""
        self._report("Package the chart")
        chart = self._src / "charts/skywalking-provider"
        values = chart / "values.yaml"
        bridges = {platform: hash_file(self._out / bridge_name(platform)) for platform in self._plan.bridge_platforms}
        stamped = stamp_image_digest(values.read_text(), read_digest(self._out / "image"))
        values.write_text(stamp_bridge_checksums(stamped, bridges))
        set_times(chart, self._source.epoch)
        helm = self._tools / "helm"
        self._run(helm, "package", chart, "--destination", self._out)
        package = self._out / self._plan.chart_package
        os.utime(package, (self._source.epoch, self._source.epoch))  # becomes an annotation of the artifact
        self._run(self._tools / "oci-chart", helm, package, self._out / "chart")

    def write_bills(self, bridges: dict[str, Path]) -> None:
        """Write the bill of materials of each image, of the bridges and of the wheel."""
        self._report("Write the bills of materials")
        version, wasm = self._plan.version, f"module:{self._src / 'expr/go.mod'}"
        for platform, digest in read_platform_digests(self._out / "image").items():
            arch = platform.rpartition("/")[2]
            purl = f"pkg:oci/skywalking-provider@{quote(digest, safe='')}?arch={arch}&repository_url={IMAGE}"
            root = f"root:{self._work / f'root-{arch}'}"
            self._write_bill(f"skywalking-provider-image-{arch}", purl, digest, "CONTAINER", root, wasm)
        programs = [f"program:{path}" for path in bridges.values()]
        combined = hashlib.sha256("".join(map(hash_file, bridges.values())).encode()).hexdigest()
        purl = f"pkg:golang/{REPOSITORY.removeprefix('https://')}/bridge@{version}"
        self._write_bill("skywalking-bridge", purl, combined, "APPLICATION", *programs)
        [wheel] = self._out.glob("*.whl")
        purl, lock = f"pkg:pypi/skywalking-provider@{version}", f"lock:{self._src / 'requirements/runtime.lock'}"
        self._write_bill("skywalking-provider-wheel", purl, hash_file(wheel), "LIBRARY", wasm, lock)

    def _write_bill(self, name: str, purl: str, sha256: str, purpose: str, *sources: str) -> None:
        [release] = re.findall(r"^go (.*)$", (self._src / "bridge/go.mod").read_text(), re.MULTILINE)
        flags = {
            "version": self._plan.version,
            "sha256": sha256.removeprefix("sha256:"),
            "purpose": purpose,
            "go": f"go{release}",
            "repository": REPOSITORY,
            "epoch": self._source.epoch,
        }
        words = [
            str(self._tools / "spdx"),
            *(f"-{flag}={value}" for flag, value in flags.items()),
            name,
            purl,
            *sources,
        ]
        with (self._out / f"{name}.spdx.json").open("wb") as file:
            subprocess.run(words, env=self._environment, stdout=file, check=True)

    def _report(self, step: str) -> None:
        print(f"    {time.monotonic() - self._began:4.0f} s  {step}", flush=True)

    def _run(self, *command: str | int | Path) -> None:
        words = [str(word) for word in command]
        subprocess.run(words, env=self._environment, stdout=sys.stderr, check=True)


def build_environment(given: Mapping[str, str], epoch: int, work: Path) -> dict[str, str]:
    """Return the environment of all steps: language, time zone and settings of the user have no effect on them."""
    settings = ("LANG", "LANGUAGE", "LC_", "PYTHON", "HELM_", "UV_", "HATCH_", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV")
    kept = {name: value for name, value in given.items() if name in _SOURCES or not name.startswith(settings)}
    return kept | {
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(epoch),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        **{f"HELM_{name}_HOME": str(work / "helm") for name in ("CACHE", "CONFIG", "DATA")},
    }


def read_digest(layout: Path) -> str:
    """Return the digest of the only image, index or artifact of an OCI image layout."""
    [entry] = json.loads((layout / _LAYOUT_INDEX).read_text())["manifests"]
    return str(entry["digest"])


def read_platform_digests(layout: Path) -> dict[str, str]:
    """Return the digests of the images of a layout's index, by platform."""
    algorithm, _, digest = read_digest(layout).partition(":")
    index: dict[str, Any] = json.loads((layout / "blobs" / algorithm / digest).read_text())
    entries = index["manifests"]
    return {f"{one['platform']['os']}/{one['platform']['architecture']}": one["digest"] for one in entries}


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
