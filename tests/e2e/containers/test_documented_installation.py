"""The commands of docs/install.md for a sidecar, verbatim and in their order, with rollouts of real pods."""

import re

import yaml

from tests.e2e.containers.documented import find_block
from tests.e2e.containers.installation import CONTROLLER, REPOSITORY, Installation
from tests.e2e.containers.node import Node, wait_for
from tests.e2e.containers.rollouts import check_rollouts
from tests.e2e.containers.side_by_side import side_by_side

PAGE = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9465').status)"


def check_page(installation: Installation) -> None:
    """Run step 5: the history page through the documented port-forward."""
    forward = find_block("Sidecar", "leader=").strip()
    installation.run(
        f"({forward}) > /dev/null & forward=$!\ntrap 'kill $forward $(cat /proc/$forward/task/*/children)' EXIT\n"
        f'for _ in $(seq 60); do python3 -c "{PAGE}" 2> /dev/null && exit; sleep 1; done\nexit 1'
    )


@side_by_side
def test_documented_installation_judges_rollouts_and_leaves_nothing(node: Node) -> None:
    installation = Installation.create(node, CONTROLLER)
    with node.installing:
        installation.install_argo()

        installation.run(find_block("Sidecar", "kubectl -n argo-rollouts create secret"))
        installation.write_values(find_block("Sidecar", "# skywalking.yaml"))
        installation.install_chart()
        installation.add_plugin()
    logs = installation.run(find_block("Sidecar", "kubectl -n argo-rollouts rollout status"))
    assert "ready" in logs
    doctor = installation.run(find_block("Sidecar", "helm test"))
    assert doctor.count("accepts the credentials") == 2
    check_rollouts(installation)
    check_page(installation)

    # Upgrade: the installation commands with another image, while an AnalysisRun is measuring.
    installation.start_run("upgraded", 10_000)
    installation.await_measurements("upgraded", 2)
    node.run("ctr", "images", "tag", f"{REPOSITORY}:0.1.0", f"{REPOSITORY}:0.1.1")
    values = yaml.safe_load(find_block("Sidecar", "# skywalking.yaml"))
    values["image"] = {"tag": "0.1.1"}
    installation.write_values(values)
    installation.install_chart()
    installation.add_plugin()
    installation.await_measurements("upgraded", 2)
    assert installation.run_status("upgraded")["phase"] == "Running"
    pod = installation.controller_pod()["spec"]
    assert {each["image"] for each in pod["initContainers"]} == {f"{REPOSITORY}:0.1.1"}

    installation.run(find_block("Uninstall", "helm get values"))
    installation.await_controller()
    pod = installation.controller_pod()["spec"]
    assert [each["name"] for each in pod["containers"] + pod.get("initContainers", [])] == [CONTROLLER]
    kinds = ("pods", "configmaps", "services", "secrets", "serviceaccounts")
    names = {each["metadata"]["name"] for each in installation.kubectl.list(kinds)}
    assert {name for name in names if re.search("skywalking|oap", name)} == {"oap-credentials"}
    wait_for(lambda: len(installation.pods()) == 1, "the old controller to end")
