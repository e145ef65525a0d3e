"""Published releases in the node: a registry under the name of the real one, and the bridges on the node's address."""

import os
import tarfile
from concurrent.futures import Future
from pathlib import Path

from skywalking_provider import __version__
from tests.e2e.containers.node import SCRIPTS, Node
from tests.e2e.lab import ProgressReporter
from tests.releases import previous, stand_in
from tests.releases.release import Release
from tools.release.plan import CHART, IMAGE, bridge_name

REGISTRY = "ghcr.io"
PLATFORM = "linux/amd64" if os.uname().machine == "x86_64" else "linux/arm64"
SERVED = "http://192.0.2.2:8000"
"""Beginning of the URLs of the bridges, instead of that of GitHub: the node has no way out."""
STAND_IN = "0.0.9"
RELEASE = "PROVIDER_RELEASE"
"""Environment variable with the `dist` of `make release`, whose image, chart and bridge are tested."""


def build_releases(archive: Path, home: Path, report_progress: ProgressReporter) -> dict[str, Release]:
    """Return the releases `current`, with the image under test, and `previous`, before the first one its stand-in."""
    folder = home / "releases"
    if given := os.environ.get(RELEASE):
        releases = {"current": Release.read(Path(given))}
    else:
        releases = {"current": stand_in.build_release(archive, PLATFORM, folder / "current")}
    if record := previous.find_record(previous.RECORDS, __version__):
        report_progress(f"previous release: {record.stem}")
        releases["previous"] = previous.obtain(record, folder / "previous")
    else:
        report_progress(f"previous release: none in docs/releases. {STAND_IN} is built from this checkout in its place")
        releases["previous"] = stand_in.build_release(archive, PLATFORM, folder / "previous", STAND_IN)
    return releases


def write_image_archive(release: Path, archive: Path) -> Path:
    """Write the image of a release to an archive, as lab/node imports it."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as tar:
        for path in sorted((release / "image").iterdir()):
            tar.add(path, path.name)
    return archive


def publish(node: Node, built: "Future[dict[str, Release]]") -> None:
    """Start the registry and the downloads in the node, publish releases, and give them to the tests."""
    try:
        node.run(str(SCRIPTS / "registry.sh"), REGISTRY)
        downloads = node.folder / "downloads"
        for release in built.result().values():
            for repository, part in ((IMAGE, "image"), (CHART, "chart")):
                node.shell(f"crane push {release.folder / part} {repository}:{release.version}")
            folder = downloads / f"v{release.version}"
            folder.mkdir(parents=True, exist_ok=True)
            name = bridge_name(PLATFORM)
            (folder / name).unlink(missing_ok=True)
            os.link(release.folder / name, folder / name)
        node.run(str(SCRIPTS / "downloads.sh"), str(downloads))
    except BaseException as error:
        node.releases.set_exception(error)
        raise
    node.releases.set_result(built.result())
