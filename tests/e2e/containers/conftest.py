"""Node with the image of the service, in which the tests of this folder run side by side."""

import os
import subprocess
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.containers.argo_chart import ARGO_CRDS, build_argo_objects
from tests.e2e.containers.mock_oap import OAP
from tests.e2e.containers.node import SCRIPTS, Node, NodeError
from tests.e2e.containers.published import RELEASE, build_releases, publish, write_image_archive
from tests.e2e.containers.side_by_side import Started, start
from tests.e2e.lab import ProgressReporter
from tests.install.image_build import NAME, write_archive

NODE = pytest.StashKey[Node]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            # The first test also waits for the build of the image. Before the marker of the folder above.
            item.add_marker(pytest.mark.timeout(1800), append=False)


@pytest.fixture(scope="session")
def archive(home: Path, report_progress: ProgressReporter) -> Path:
    """Return the archive of the service's image: `PROVIDER_IMAGE`, that of `PROVIDER_RELEASE`, or a new one."""
    if given := os.environ.get("PROVIDER_IMAGE"):
        return Path(given)
    if given := os.environ.get(RELEASE):
        return write_image_archive(Path(given), home / "releases/image.tar")
    archive = write_archive()
    report_progress(f"{NAME} built")
    return archive


@pytest.fixture(scope="session")
def supported(home: Path) -> None:
    """Skip if this machine cannot run the node; fail if REQUIRE_NODE is set."""
    environment = os.environ | {"LAB_HOME": str(home), "LAB_DIR": str(home / "run/e2e-node")}
    check = subprocess.run([SCRIPTS / "check.sh"], env=environment, capture_output=True, text=True, check=False)
    if check.returncode:
        (pytest.fail if os.environ.get("REQUIRE_NODE") else pytest.skip)(check.stderr.strip())


@pytest.fixture(scope="session")
def node(
    supported: None,  # noqa: ARG001 - before the image is built
    archive: Path,
    home: Path,
    pytestconfig: pytest.Config,
    report_progress: ProgressReporter,
) -> Iterator[Node]:
    """Start the node with a mock OAP and Argo's CRDs. Its logs stay in .cache/lab/run/e2e-node."""
    node = Node(home / "run/e2e-node", home)
    pool = ThreadPoolExecutor(2)
    try:
        releases = pool.submit(build_releases, archive, home, report_progress)
        images = home / "images"
        node.start(archive, images / "busybox.tar", images / "argo-rollouts-1.10.tar")
        report_progress("node ready")
        pytestconfig.stash[NODE] = node
        node.kubectl().run("apply", "--server-side", "-f", str(home / ARGO_CRDS))
        node.kubectl("istio-system").apply(OAP)
        pool.submit(publish, node, releases)  # beside the tests that do not need them
        yield node
    finally:
        pool.shutdown()
        report_progress("stop the node")
        node.stop()
        report_progress("node stopped")


@pytest.fixture(scope="session")
def started(request: pytest.FixtureRequest, node: Node) -> Iterator[Started]:
    """Start the bodies of all selected tests."""
    tests = [getattr(item, "function", None) for item in request.session.items]
    build_argo_objects()
    with ThreadPoolExecutor(32) as pool:
        yield start(tests, node, pool)


@pytest.fixture(autouse=True)
def headline(request: pytest.FixtureRequest, report_progress: ProgressReporter) -> None:
    """Print the test's name before it starts, without the lab that the other tests need."""
    report_progress(f"{request.node.name.removeprefix('test_').replace('_', ' ')}:")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append the pods and the last events to a failure."""
    report = yield
    if report.failed and NODE in item.config.stash:
        for what in ("pods", "events"):
            try:
                text = item.config.stash[NODE].kubectl().run("get", what, "--all-namespaces", "-o", "wide")
            except (NodeError, RuntimeError, subprocess.TimeoutExpired) as error:
                text = str(error)
            report.sections.append((what, "\n".join(text.splitlines()[-40:])))
    return report
