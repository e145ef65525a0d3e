"""Download of the bridge: the stock controller fetches its plugin over HTTP. All other tests give it a file."""

import hashlib
import platform
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skywalking_provider import __version__
from tests.e2e.lab import PLUGIN, ROOT, Lab, ProgressReporter
from tests.e2e.manifests import analysis_with_count, rollout_with_analysis_step, start_rollout

BRIDGE = ROOT / ".cache/bin/skywalking-bridge"
PLATFORM = {"x86_64": "linux-amd64", "aarch64": "linux-arm64"}[platform.machine()]


@pytest.fixture
def bridge_url(lab: Lab) -> str:
    """Put the bridge into the service's folder, as in the image, and return its URL."""
    folder = lab.bridge_folder / __version__ / PLATFORM
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(BRIDGE, folder / BRIDGE.name)
    return f"{lab.http_url}/bridge/{__version__}/{PLATFORM}"


def fetch_text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - the lab's own service
        text: str = response.read().decode()
    return text.strip()


def installed_plugin(lab: Lab) -> Path:
    """Return the path where the controller installs and runs the plugin."""
    return lab.folder / "controller/plugin-bin" / PLUGIN


@contextmanager
def controller_without_plugin(lab: Lab) -> Iterator[None]:
    """Stop the controller and remove its plugin; afterwards restart it as before."""
    lab.stop("controller")
    installed_plugin(lab).unlink(missing_ok=True)
    try:
        yield
    finally:
        lab.stop("controller")
        lab.start("controller")


def test_controller_with_download_url_installs_bridge_and_promotes(
    lab: Lab, report_progress: ProgressReporter, bridge_url: str
) -> None:
    service = "canary|reviews|download|cluster-1|-"
    lab.feed_and_wait(service, "good")
    sha256 = fetch_text(f"{bridge_url}/sha256")
    with controller_without_plugin(lab):
        lab.start("controller", LAB_BRIDGE=bridge_url, LAB_BRIDGE_SHA256=sha256)
        downloaded = installed_plugin(lab).read_bytes()
        timeline = start_rollout(
            lab, "download", rollout_with_analysis_step(service), analysis_with_count(3, "3s"), report_progress
        )
        end = timeline.wait_until_decided(180)

    assert hashlib.sha256(downloaded).hexdigest() == sha256
    assert downloaded == BRIDGE.read_bytes()
    assert end.promoted
    assert end.phases == ["Successful"] * 3


def test_controller_with_wrong_sha256_exits(lab: Lab, bridge_url: str) -> None:
    with controller_without_plugin(lab), pytest.raises(RuntimeError, match="sha256"):
        lab.start("controller", LAB_BRIDGE=bridge_url, LAB_BRIDGE_SHA256="0" * 64)


def test_controller_with_unknown_bridge_version_exits(lab: Lab, bridge_url: str) -> None:
    with controller_without_plugin(lab), pytest.raises(RuntimeError, match="response code Not Found"):
        lab.start("controller", LAB_BRIDGE=bridge_url.replace(__version__, "0.0.0-unknown"), LAB_BRIDGE_SHA256="0" * 64)
