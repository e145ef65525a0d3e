"""The stock controller fetches its plugin from the running service by HTTP; in all other tests it is given a file."""

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
def offered(lab: Lab) -> str:
    """Where the service offers the bridge, as in the image's folder of bridges."""
    folder = lab.bridge_folder / __version__ / PLATFORM
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(BRIDGE, folder / BRIDGE.name)
    return f"{lab.http_url}/bridge/{__version__}/{PLATFORM}"


def told(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - the lab's own service
        text: str = reply.read().decode()
    return text.strip()


def installed(lab: Lab) -> Path:
    """The plugin's binary as the controller put it where it runs it."""
    return lab.folder / "controller/plugin-bin" / PLUGIN


@contextmanager
def without_its_plugin(lab: Lab) -> Iterator[None]:
    """No controller, and no plugin left of it; afterwards both are as they were."""
    lab.stop("controller")
    installed(lab).unlink(missing_ok=True)
    try:
        yield
    finally:
        lab.stop("controller")
        lab.start("controller")


def test_the_controller_downloads_the_bridge_from_the_running_service_and_promotes_with_it(
    lab: Lab, report_progress: ProgressReporter, offered: str
) -> None:
    service = "canary|reviews|download|cluster-1|-"
    lab.feed_and_wait(service, "good")
    sha256 = told(f"{offered}/sha256")
    with without_its_plugin(lab):
        lab.start("controller", LAB_BRIDGE=offered, LAB_BRIDGE_SHA256=sha256)
        downloaded = installed(lab).read_bytes()
        story = start_rollout(
            lab, "download", rollout_with_analysis_step(service), analysis_with_count(3, "3s"), report_progress
        )
        end = story.wait_until_decided(180)

    assert hashlib.sha256(downloaded).hexdigest() == sha256
    assert downloaded == BRIDGE.read_bytes()
    assert end.promoted
    assert end.phases == ["Successful"] * 3


def test_a_controller_that_was_told_another_sha256_ends_and_runs_no_plugin(lab: Lab, offered: str) -> None:
    with without_its_plugin(lab), pytest.raises(RuntimeError, match="sha256"):
        lab.start("controller", LAB_BRIDGE=offered, LAB_BRIDGE_SHA256="0" * 64)


def test_a_controller_that_is_told_a_version_the_service_has_not_ends(lab: Lab, offered: str) -> None:
    with without_its_plugin(lab), pytest.raises(RuntimeError, match="response code Not Found"):
        lab.start("controller", LAB_BRIDGE=offered.replace(__version__, "0.0.0-unknown"), LAB_BRIDGE_SHA256="0" * 64)
