"""Whether a real API server keeps what it was given, and runs it."""

from collections.abc import Sequence
from typing import Any

from e2e_kubectl import Kubectl, Object


def place(cluster: Kubectl, name: str, standard: str = "restricted") -> Kubectl:
    """A namespace of its own, in which no pod runs that this one of Kubernetes' Pod Security Standards refuses."""
    labels = {"pod-security.kubernetes.io/enforce": standard}
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}])
    return cluster.within(name)


def runs(here: Kubectl, deployment: str) -> None:
    here.run("wait", "--for", "condition=Available", "--timeout", "25s", f"deployment/{deployment}")


def lost(wanted: Any, stored: Any, path: str = "") -> list[str]:
    """The places where the API server has not what was wanted; what it adds is its own."""
    match wanted, stored:
        case dict(), dict():
            return [text for key, value in wanted.items() for text in lost(value, stored.get(key), f"{path}.{key}")]
        case list(), list() if len(wanted) == len(stored):
            return [
                text for i, pair in enumerate(zip(wanted, stored, strict=True)) for text in lost(*pair, f"{path}[{i}]")
            ]
    return [] if wanted == stored else [f"{path}: {wanted!r} became {stored!r}"]


def unlike(here: Kubectl, wanted: Sequence[Object]) -> list[str]:
    """The same of whole objects, with their names."""
    return [
        f"{each['kind']}/{each['metadata']['name']}{text}"
        for each in wanted
        for text in lost(each, here.get(each["kind"], each["metadata"]["name"]))
    ]
