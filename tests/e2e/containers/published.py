"""Published releases in the node: a registry under the name of the real one, and the bridges on the node's address."""

import os
from pathlib import Path

from tests.e2e.containers.node import SCRIPTS, Node
from tests.releases.release import Release
from tools.release.plan import CHART, IMAGE, REPOSITORY, bridge_name

REGISTRY = "ghcr.io"
PLATFORM = "linux/amd64" if os.uname().machine == "x86_64" else "linux/arm64"
DOWNLOADS = f"{REPOSITORY}/releases/download"
"""Beginning of the URL of a release's bridges."""
SERVED = "http://192.0.2.2:8000"
"""What stands for it in the node, which has no way out."""


def publish(node: Node, *releases: Release) -> None:
    """Start the registry and the downloads in the node, and publish releases."""
    node.run(str(SCRIPTS / "registry.sh"), REGISTRY)
    downloads = node.folder / "downloads"
    for release in releases:
        for repository, part in ((IMAGE, "image"), (CHART, "chart")):
            node.shell(f"crane push {release.folder / part} {repository}:{release.version}")
        folder = downloads / f"v{release.version}"
        folder.mkdir(parents=True, exist_ok=True)
        name = bridge_name(PLATFORM)
        (folder / name).unlink(missing_ok=True)
        os.link(release.folder / name, folder / name)
    node.run(str(SCRIPTS / "downloads.sh"), str(downloads))


def read_release(node: Node, role: str) -> Release:
    """Return the release `current` or `previous` that the fixture `node` published."""
    return Release.read(release_folder(node.home, role))


def release_folder(home: Path, role: str) -> Path:
    return home / "releases" / role
