"""Release built from this checkout and a given image: of the current version, or in the place of the previous one.

`make release` builds the image from scratch. Here only the packaging is that of `make release`.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from skywalking_provider import __version__
from tests.releases.release import Release
from tools.release.build import Builder, hash_file, read_digest
from tools.release.plan import CHART, IMAGE, Plan, bridge_name
from tools.release.source import Source

ROOT = Path(__file__).parents[2]
EPOCH = 1_700_000_000


def build_release(archive: Path, platform: str, folder: Path, version: str = __version__) -> Release:
    """Build a release with the image of an archive.

    Args:
        archive: OCI image layout in a tar, as lab/node imports it.
        platform: Platform of the image.
        folder: Folder of the release, which is replaced.
        version: Version of chart and bridge. The image of another version than this one gets a label, so that it has a
            digest of its own.
    """
    shutil.rmtree(folder, ignore_errors=True)
    out, work = folder, folder.with_name(f"{folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    out.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        tar.extractall(out / "image", filter="data")
    if version != __version__:
        add_label(out / "image", "stand-in", version)
    chart = work / "src/charts/skywalking-provider"
    shutil.copytree(ROOT / "charts/skywalking-provider", chart)
    metadata = chart / "Chart.yaml"
    versions = re.compile(r"^(version|appVersion): .*$", re.MULTILINE)
    metadata.write_text(versions.sub(rf'\1: "{version}"', metadata.read_text()))
    plan = Plan(version, (platform,))
    for one in plan.bridge_platforms:
        build_bridge(out / bridge_name(one), one, version)
    Builder(Source("", EPOCH, changed=True, tree=""), plan, work, ROOT / ".cache/bin", out).build_chart()
    write_record(plan, out)
    shutil.rmtree(work)
    return Release.read(out)


def write_record(plan: Plan, out: Path) -> None:
    """Write the part of release.json that the tests use."""
    bridges = {
        one: {"url": plan.bridge_url(one), "sha256": hash_file(out / bridge_name(one))} for one in plan.bridge_platforms
    }
    record = {
        "version": plan.version,
        "image": {"repository": IMAGE, "tag": plan.version, "digest": read_digest(out / "image")},
        "chart": {"repository": CHART, "tag": plan.version, "digest": read_digest(out / "chart")},
        "bridges": bridges,
    }
    (out / "release.json").write_text(json.dumps(record, indent=2))


def build_bridge(path: Path, platform: str, version: str) -> None:
    """Link the bridge with a version, with the flags of image/bridges."""
    system, _, architecture = platform.partition("/")
    environment = {"GOTOOLCHAIN": "auto", "CGO_ENABLED": "0", "GOOS": system, "GOARCH": architecture}
    flags = f"-s -w -X main.version={version}"
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", str(path), "."]
    subprocess.run(command, cwd=ROOT / "bridge", env=os.environ | environment, check=True)


def add_label(layout: Path, name: str, value: str) -> None:
    """Add a label to the images of an OCI image layout."""
    index = json.loads((layout / "index.json").read_text())
    index["manifests"] = [_relabel(layout, entry, {name: value}) for entry in index["manifests"]]
    (layout / "index.json").write_text(json.dumps(index))


def _relabel(layout: Path, entry: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    content = json.loads(_path(layout, entry).read_text())
    if "manifests" in content:
        content["manifests"] = [_relabel(layout, one, labels) for one in content["manifests"]]
    elif "config" in content:
        config = json.loads(_path(layout, content["config"]).read_text())
        config["config"] = config["config"] | {"Labels": config["config"].get("Labels", {}) | labels}
        content["config"] = _replace(layout, content["config"], config)
    return _replace(layout, entry, content)


def _replace(layout: Path, entry: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    _path(layout, entry).unlink()
    blob = json.dumps(content).encode()
    new = entry | {"digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}
    _path(layout, new).write_bytes(blob)
    return new


def _path(layout: Path, entry: dict[str, Any]) -> Path:
    return layout / "blobs" / entry["digest"].replace(":", "/")
