"""Upgrade from the previous release and back, by the commands of docs/install.md, while a canary is measured.

The previous release is that of docs/releases, or a stand-in before the first one (conftest.py says which).
"""

from typing import Any

import yaml

from tests.e2e.containers.documented import find_block
from tests.e2e.containers.installation import CONTROLLER, RUN, SERVICE, Installation
from tests.e2e.containers.mock_oap import GOOD
from tests.e2e.containers.node import Node, wait_for
from tests.e2e.containers.published import PLATFORM
from tests.e2e.containers.rollouts import ROLLOUT, phase, rollout_objects, update
from tests.e2e.containers.side_by_side import side_by_side
from tests.e2e.containers.test_quick_start import quick_start
from tests.releases.release import Release

NAMESPACE = "upgraded"


def split_commands(block: str) -> tuple[str, str]:
    """Return the command for the service, and the one for the controller."""
    service, controller = block.split("\nkubectl ")
    return service, f"kubectl {controller}"


def check_measures(installation: Installation, run: str, service: Release, bridge: Release) -> None:
    """Check which releases run, and that the analysis goes on with them."""
    pods = installation.pods(SERVICE)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {service.image}
    values = yaml.safe_load(installation.run(f"helm get values {CONTROLLER} -n {NAMESPACE}"))
    [plugin] = values["controller"]["metricProviderPlugins"]
    assert plugin["sha256"] == bridge.bridge_sha256(PLATFORM)  # the controller exits with another bridge
    installation.await_measurements(run, 2)


def background_rollout() -> list[dict[str, Any]]:
    """Return the objects of a rollout that stays at half the weight while a background analysis measures."""
    objects = rollout_objects("continued", GOOD)
    [template] = [each for each in objects if each["kind"] == "AnalysisTemplate"]
    del template["spec"]["metrics"][0]["count"]
    [rollout] = [each for each in objects if each["kind"] == "Rollout"]
    canary = rollout["spec"]["strategy"]["canary"]
    weight, step = canary["steps"]
    canary |= {"steps": [weight, {"pause": {}}], "analysis": step["analysis"]}
    return objects


@side_by_side
def test_canary_is_measured_through_upgrade_and_rollback(node: Node) -> None:
    installation = Installation.create(node, NAMESPACE)
    previous, current = node.releases.result()["previous"], node.releases.result()["current"]
    install = quick_start(NAMESPACE)
    assert install.count(f"--version {current.version}") == 1
    with node.installing:
        installation.install_argo()
        installation.run(install.replace(f"--version {current.version}", f"--version {previous.version}"))
        installation.await_controller()
    installation.kubectl.apply(background_rollout())
    wait_for(lambda: phase(installation, "continued") == "Healthy", "the first revision")
    update(installation, "continued")
    wait_for(lambda: installation.kubectl.list([RUN]) != [], "the analysis")
    [run] = [each["metadata"]["name"] for each in installation.kubectl.list([RUN])]
    check_measures(installation, run, previous, previous)

    upgrade = find_block("Upgrade", "helm upgrade skywalking-provider", NAMESPACE)
    service, controller = split_commands(upgrade)
    installation.run(service)
    check_measures(installation, run, current, previous)
    installation.run(controller)
    installation.await_controller()
    check_measures(installation, run, current, current)

    service, controller = find_block("Upgrade", "helm rollback", NAMESPACE).strip().splitlines()
    installation.run(service)
    check_measures(installation, run, previous, current)
    installation.run(controller)
    installation.await_controller()
    check_measures(installation, run, previous, previous)

    # Ends the pause, as `kubectl argo rollouts promote` does.
    installation.kubectl.run(
        "patch",
        ROLLOUT,
        "continued",
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status": {"pauseConditions": null}}',
    )
    wait_for(lambda: phase(installation, "continued") == "Healthy", "the promotion")
    status = installation.run_status(run)
    [result] = status["metricResults"]
    assert (status["phase"], result.get("error", 0), result.get("failed", 0)) == ("Successful", 0, 0)
