"""kubectl for tests: objects as JSON, a time limit per call, and kubectl's message in the error."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


class KubectlError(RuntimeError):
    pass


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Client for one namespace of a cluster."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"
    seconds: float = 30
    """Time limit of a call. A call took 10 s on a machine that was building something at the same time."""

    def in_namespace(self, namespace: str) -> "Kubectl":
        return replace(self, namespace=namespace)

    def run(self, *args: str, stdin: str | None = None) -> str:
        command = [str(self.program), "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=self.seconds, check=False)
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, objects: Sequence[Mapping[str, Any]]) -> None:
        self.run("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def get(self, kind: str, name: str) -> Object:
        found: Object = json.loads(self.run("get", kind, name, "-o", "json"))
        return found

    def list(self, kinds: Sequence[str], *, everywhere: bool = False) -> list[Object]:
        """Return all objects of these kinds in the namespace, or in all namespaces, with one call."""
        flags = ("--all-namespaces",) if everywhere else ()
        items: list[Object] = json.loads(self.run("get", ",".join(kinds), *flags, "-o", "json"))["items"]
        return items

    def merge(self, kind: str, name: str, patch: Mapping[str, Any]) -> None:
        self.run("patch", kind, name, "--type", "merge", "-p", json.dumps(patch))
