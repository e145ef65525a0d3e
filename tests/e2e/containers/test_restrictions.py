"""Installations with less than the defaults allow: Pod Security, another user, little CPU, names of Services."""

from tests.e2e.containers.installation import SERVICE, Installation
from tests.e2e.containers.node import Node, wait_for
from tests.e2e.containers.side_by_side import side_by_side


@side_by_side
def test_restricted_namespace_admits_all_pods(node: Node) -> None:
    installation = Installation.create(node, "restricted", {"pod-security.kubernetes.io/enforce": "restricted"})

    installation.install({})

    assert "no problem" in installation.test()
    assert installation.measure() == "Successful"


@side_by_side
def test_another_user_measures(node: Node) -> None:
    """Use a high user with group 0, as OpenShift assigns them to a namespace."""
    installation = Installation.create(node, "another-user")
    user = 1000660000
    pod = {"runAsNonRoot": True, "fsGroup": user}
    installation.install(
        {"podSecurityContext": pod, "containerSecurityContext": {"runAsUser": user, "runAsGroup": 0}},
        argo={"podSecurityContext": pod | {"runAsUser": user}},
    )

    assert "no problem" in installation.test()
    assert installation.measure() == "Successful"


@side_by_side
def test_small_cpu_limit_and_services_named_swp_start(node: Node) -> None:
    """Give the service a twentieth of a CPU, and the pod the variables of a Service `swp`."""
    installation = Installation.create(node, "small")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "swp"}}
    installation.kubectl.apply([service | {"spec": {"ports": [{"name": "http", "port": 9464}]}}])

    installation.install({"resources": {"limits": {"cpu": "50m", "memory": "512Mi"}}})

    variables = installation.run(
        f"kubectl -n small exec deploy/argo-rollouts -c {SERVICE} -- python3.13 -c 'import os; print(*os.environ)'"
    ).split()
    assert {"SWP_SERVICE_HOST", "SWP_SERVICE_PORT_HTTP", "SWP_PORT_9464_TCP_PROTO"} <= set(variables)
    wait_for(lambda: all(each["ready"] for each in installation.containers().values()), "the containers to be ready")
    assert set(installation.restarts().values()) == {0}
    assert installation.measure() == "Successful"
