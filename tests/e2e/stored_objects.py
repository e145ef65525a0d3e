"""Comparison of applied objects with the objects that a real API server stores."""

from collections.abc import Sequence
from typing import Any

from tests.e2e.kubectl import Kubectl, Object


def create_namespace(cluster: Kubectl, name: str, pod_security_standard: str = "restricted") -> Kubectl:
    """Create a namespace that enforces one of Kubernetes' Pod Security Standards."""
    labels = {"pod-security.kubernetes.io/enforce": pod_security_standard}
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}])
    return cluster.in_namespace(name)


def wait_until_available(kubectl: Kubectl, deployment: str) -> None:
    kubectl.run("wait", "--for", "condition=Available", "--timeout", "25s", f"deployment/{deployment}")


def find_differences(expected: Any, stored: Any, path: str = "") -> list[str]:
    """Return the paths at which the stored value differs; fields that the API server adds are ignored."""
    match expected, stored:
        case dict(), dict():
            return [
                text
                for key, value in expected.items()
                for text in find_differences(value, stored.get(key), f"{path}.{key}")
            ]
        case list(), list() if len(expected) == len(stored):
            return [
                text
                for i, pair in enumerate(zip(expected, stored, strict=True))
                for text in find_differences(*pair, f"{path}[{i}]")
            ]
    return [] if expected == stored else [f"{path}: {expected!r} became {stored!r}"]


def find_object_differences(kubectl: Kubectl, expected: Sequence[Object]) -> list[str]:
    """Return the differences of whole objects, each with its kind and name."""
    return [
        f"{each['kind']}/{each['metadata']['name']}{text}"
        for each in expected
        for text in find_differences(each, kubectl.get(each["kind"], each["metadata"]["name"]))
    ]
