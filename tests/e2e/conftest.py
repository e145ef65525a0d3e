"""Lab of the end-to-end tests: real etcd, API server, stock controller, OAP, service and bridge. No mocks."""

import os
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.lab import ROOT, Lab, ProgressReporter, find_free_ports
from tests.e2e.oap_pool import OapPool, build_sidecar_config

PARTS = ("etcd", "apiserver", "controller-manager", "scheduler", "kwok", "oap", "feed", "sidecar", "controller")
LOGGED_PARTS = ("controller", "sidecar", "oap", "feed")
LAB = pytest.StashKey[Lab]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(scope="session")
def report_progress(pytestconfig: pytest.Config) -> ProgressReporter:
    """Return a function that prints a line with the elapsed seconds, also while pytest captures the output."""
    started_at = time.monotonic()
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    reporter = pytestconfig.pluginmanager.getplugin("terminalreporter")

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"  {time.monotonic() - started_at:6.1f} s  {text}")

    return line


@pytest.fixture(scope="session")
def home() -> Path:
    return Path(os.environ.get("LAB_HOME", ROOT / ".cache/lab"))


@pytest.fixture(scope="session")
def ports() -> Iterator[int]:
    """Provide free ports for all labs, each only once."""
    return iter(find_free_ports(100))


@pytest.fixture(scope="session")
def oap_pool(home: Path, ports: Iterator[int], report_progress: ProgressReporter) -> Iterator[OapPool]:
    """Provide OAPs of several versions. Each starts when a test first uses it."""
    pool = OapPool(home, ports, report_progress).reset()
    try:
        yield pool
    finally:
        pool.stop()


@pytest.fixture(scope="session")
def lab(
    pytestconfig: pytest.Config, home: Path, ports: Iterator[int], oap_pool: OapPool, report_progress: ProgressReporter
) -> Iterator[Lab]:
    """Start the whole lab and end each part by its process id. The logs stay in .cache/lab/run/e2e."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as sockets:  # the path of a Unix socket has at most 107 bytes
        lab = Lab.create(home / "run/e2e", home, ports, report_progress).reset()
        config = lab.folder / "sidecar.yaml"
        config.write_text(build_sidecar_config(lab, oap_pool))
        lab.settings.update(LAB_SOCKET=f"{sockets}/provider.sock", LAB_SIDECAR_CONFIG=str(config))
        pytestconfig.stash[LAB] = lab
        try:
            for part in PARTS:
                lab.start(part)
            yield lab
        finally:
            lab.stop()


@pytest.fixture(autouse=True)
def headline(request: pytest.FixtureRequest, lab: Lab, report_progress: ProgressReporter) -> None:  # noqa: ARG001 - the lab is up before
    """Print the test's name before it starts, after the lab is ready."""
    report_progress(f"{request.node.name.removeprefix('test_').replace('_', ' ')}:")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append the end of each part's log to a failure, because the cause is often there."""
    report = yield
    if report.failed and LAB in item.config.stash:
        lab = item.config.stash[LAB]
        report.sections += [(f"{lab.folder / part}.log", lab.log_tail(part)) for part in LOGGED_PARTS]
    return report
