"""Failures of processes and pods while a controller measures: what restarts, and that the measurements go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.e2e.containers.installation import SERVICE, Installation
from tests.e2e.containers.node import Node, wait_for
from tests.e2e.containers.side_by_side import disturbing_others, side_by_side
from tests.e2e.lab import ROOT

CONTROLLER = "argo-rollouts"
BRIDGE = "skywalking-provider-bridge"
SECRET = "/etc/skywalking-provider/secrets/oap-credentials/password"  # noqa: S105 - the path of a file


@contextmanager
def measuring(installation: Installation) -> Iterator[None]:
    """Measure before, during and after a failure: the run goes on without an error."""
    installation.start_run("measuring", 10_000)
    installation.await_measurements("measuring", 2)
    yield
    installation.await_measurements("measuring", 2)
    status = installation.run_status("measuring")
    [result] = status["metricResults"]
    assert (status["phase"], result.get("error", 0), result.get("failed", 0)) == ("Running", 0, 0)


def await_restart(installation: Installation, container: str) -> None:
    """Wait until a container has restarted once and all are ready."""

    def is_back() -> bool:
        containers = installation.containers()
        ready = all(each["ready"] for each in containers.values())
        return ready and containers[container]["restartCount"] == 1

    wait_for(is_back, f"{installation.namespace}/{container} to be ready again")


@side_by_side
def test_killed_sidecar_restarts_alone(node: Node) -> None:
    installation = Installation.create(node, "killed-sidecar")
    installation.install({})

    with measuring(installation):
        installation.kill(SERVICE)
        await_restart(installation, SERVICE)

    assert installation.restarts() == {BRIDGE: 0, SERVICE: 1, CONTROLLER: 0}


@side_by_side
def test_frozen_sidecar_is_restarted_by_its_liveness_probe(node: Node) -> None:
    installation = Installation.create(node, "frozen-sidecar")
    installation.install({})

    with measuring(installation):
        installation.kill(SERVICE, "STOP")
        await_restart(installation, SERVICE)

    assert installation.restarts() == {BRIDGE: 0, SERVICE: 1, CONTROLLER: 0}


@side_by_side
def test_killed_controller_and_deleted_pod_install_the_bridge_again(node: Node) -> None:
    installation = Installation.create(node, "killed-controller")
    installation.install({})

    with measuring(installation):
        installation.kill(CONTROLLER)
        await_restart(installation, CONTROLLER)
        assert installation.restarts() == {BRIDGE: 0, SERVICE: 0, CONTROLLER: 1}
        installation.await_measurements("measuring", 2)

        deleted = installation.controller_pod()["metadata"]
        installation.kubectl.run("delete", "pod", deleted["name"], "--wait=false")
        wait_for(lambda: [pod["metadata"]["uid"] for pod in installation.pods()] not in ([], [deleted["uid"]]), "a pod")
        installation.await_controller()

    assert set(installation.restarts().values()) == {0}


@side_by_side
def test_changed_secret_is_read_without_a_restart(node: Node) -> None:
    installation = Installation.create(node, "changed-secret")
    create = "kubectl -n changed-secret create secret generic oap-credentials --from-literal=password="
    installation.run(f"{create}before")
    backend = {
        "url": "http://oap.istio-system:12800",
        "settle": "5s",
        "basic": {"username": "argo", "passwordFile": SECRET},
    }
    installation.install({"secrets": ["oap-credentials"], "backends": {"prod": backend}})
    program = f"print(open('{SECRET}').read())"
    read = f'kubectl -n changed-secret exec deploy/{CONTROLLER} -c {SERVICE} -- python3.13 -c "{program}"'
    assert installation.run(read) == "before\n"

    with measuring(installation):
        installation.run(f"{create}after --dry-run=client -o yaml | kubectl apply -f - 2> /dev/null")
        wait_for(lambda: installation.run(read) == "after\n", "the file of the Secret to change")

    assert set(installation.restarts().values()) == {0}


@disturbing_others
def test_restarted_kubelet_restarts_no_container(node: Node, await_others: Callable[[], None]) -> None:
    installation = Installation.create(node, "restarted-kubelet")
    installation.install({})
    await_others()
    before = {name: each["containerID"] for name, each in installation.containers().items()}

    with measuring(installation):
        node.run(str(ROOT / "lab/stop.sh"), "kubelet")
        node.run(str(ROOT / "lab/node/kubelet.sh"))

    assert {name: each["containerID"] for name, each in installation.containers().items()} == before
    assert set(installation.restarts().values()) == {0}
