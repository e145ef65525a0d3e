"""Installation of the chart beside a controller, in a namespace of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from tests.e2e.containers.argo_chart import write_argo_chart
from tests.e2e.containers.documented import find_block
from tests.e2e.containers.mock_oap import GOOD
from tests.e2e.containers.node import Node, wait_for
from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.lab import ROOT

REPOSITORY = "ghcr.io/skywalking-provider/skywalking-provider"
CONTROLLER = "argo-rollouts"
SERVICE = "skywalking-provider"
RUN = "analysisruns.argoproj.io"


@dataclass(frozen=True, slots=True)
class Installation:
    """A namespace of the node, and the folder in which the documented commands run."""

    node: Node
    namespace: str
    folder: Path

    @classmethod
    def create(cls, node: Node, namespace: str, labels: dict[str, str] | None = None) -> Self:
        """Create the namespace, and a folder with what a checkout and `helm repo add argo` provide."""
        folder = node.folder / "work" / namespace
        folder.mkdir(parents=True)
        for name in ("charts", "examples", "kustomize"):
            (folder / name).symlink_to(ROOT / name)
        write_argo_chart(folder / "argo" / "argo-rollouts")
        metadata = {"name": namespace, "labels": labels or {}}
        node.kubectl().apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
        return cls(node, namespace, folder)

    @property
    def kubectl(self) -> Kubectl:
        return self.node.kubectl(self.namespace)

    def run(self, commands: str) -> str:
        return self.node.shell(commands, self.folder)

    def install_argo(self) -> None:
        """Install Argo Rollouts without the plugin, which the page presupposes."""
        self.run(f"helm install {CONTROLLER} argo/{CONTROLLER} -n {self.namespace}")
        self.await_controller()

    def write_values(self, values: dict[str, Any] | str) -> None:
        text = values if isinstance(values, str) else yaml.safe_dump(values)
        (self.folder / "skywalking.yaml").write_text(text)

    def install_chart(self, *, wait: bool = False) -> None:
        """Run step 2 of docs/install.md."""
        command = find_block("Sidecar", "helm upgrade --install", self.namespace).strip()
        self.run(command + (" --wait" if wait else ""))

    def add_plugin(self) -> None:
        """Run step 3 of docs/install.md and wait for the new controller."""
        self.run(find_block("Sidecar", "helm get values", self.namespace))
        self.await_controller()

    def install(self, values: dict[str, Any], argo: dict[str, Any] | None = None, *, wait: bool = False) -> None:
        """Install the chart with these values beside the backend, then Argo Rollouts with the plugin.

        The page adds the plugin to an installed controller. Here the controller starts only once, with the same values.
        """
        with self.node.installing:
            self.write_values(default_values() | values)
            self.install_chart(wait=wait)
            (self.folder / "argo-rollouts.yaml").write_text(yaml.safe_dump(argo or {}))
            _, commands = find_block("Sidecar", "helm get values", self.namespace).split("\n", 1)
            self.run(commands.replace(f"helm upgrade {CONTROLLER}", f"helm install {CONTROLLER}"))
            self.await_controller()

    def await_controller(self) -> None:
        """Wait until the new controller's pod runs and the old one has ended."""
        self.node.run("kubectl", "-n", self.namespace, "rollout", "status", f"deploy/{CONTROLLER}", "--timeout=240s")
        selector = "app.kubernetes.io/name=argo-rollouts"
        wait_for(
            lambda: len(self.kubectl.run("get", "pods", "-l", selector, "-o", "name").split()) == 1,
            "the old pod to end",
        )

    def test(self) -> str:
        """Run `helm test` as in docs/install.md and return the doctor's output."""
        return self.run(f"helm test {SERVICE} -n {self.namespace} --logs")

    # -- pods

    def pods(self, name: str = CONTROLLER) -> list[Object]:
        """Return the pods of a Deployment that are not being deleted."""
        pods = self.kubectl.list(["pods"])
        return [
            pod
            for pod in pods
            if pod["metadata"]["labels"].get("app.kubernetes.io/name") == name
            and "deletionTimestamp" not in pod["metadata"]
        ]

    def controller_pod(self) -> Object:
        [pod] = self.pods()
        return pod

    def containers(self) -> dict[str, Object]:
        """Return the status of each container of the controller's pod by name."""
        status = self.controller_pod()["status"]
        return {each["name"]: each for each in status.get("initContainerStatuses", []) + status["containerStatuses"]}

    def restarts(self) -> dict[str, int]:
        return {name: status["restartCount"] for name, status in self.containers().items()}

    def kill(self, container: str, signal: str = "KILL") -> None:
        pod = self.controller_pod()["metadata"]["name"]
        self.node.signal(signal, self.namespace, pod, container)

    # -- measurements

    def start_run(self, name: str, count: int, interval: str = "2s", service: str = GOOD) -> None:
        """Start an AnalysisRun that measures the success rate of a service."""
        block = {"sli": "success-rate", "window": "5m", "since": "window", "service": service}
        metric = {
            "name": "success-rate",
            "interval": interval,
            "count": count,
            "successCondition": "result >= 0.99",
            "failureLimit": 0,
            "provider": {"plugin": {"skywalking/metrics": block}},
        }
        run = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": {"name": name}}
        # Argo keeps ten measurements by default.
        kept = [{"metricName": "success-rate", "limit": 100}]
        self.kubectl.apply([run | {"spec": {"metrics": [metric], "measurementRetention": kept}}])

    def run_status(self, name: str) -> Object:
        status: Object = self.kubectl.get(RUN, name).get("status", {})
        return status

    def measurements(self, name: str) -> list[Object]:
        """Return the finished measurements of the run's only metric."""
        results = self.run_status(name).get("metricResults", [])
        return [each for result in results for each in result["measurements"] if "finishedAt" in each]

    def count_successes(self, name: str) -> int:
        results = self.run_status(name).get("metricResults", [])
        return sum(result.get("successful", 0) for result in results)

    def await_measurements(self, name: str, count: int) -> None:
        """Wait for this many more successful measurements of a running AnalysisRun."""
        before = self.count_successes(name)
        wait_for(
            lambda: self.count_successes(name) >= before + count,
            f"{count} more measurements of {self.namespace}/{name}",
        )

    def await_run(self, name: str) -> str:
        """Wait for the end of a run and return its phase with its message."""
        ended = ("Successful", "Failed", "Error", "Inconclusive")
        wait_for(lambda: self.run_status(name).get("phase") in ended, f"the end of {self.namespace}/{name}", 400)
        status = self.run_status(name)
        return f"{status['phase']} {status.get('message', '')}".strip()

    def measure(self, name: str = "measured") -> str:
        """Measure twice and return the phase of the run."""
        self.start_run(name, 2)
        return self.await_run(name)


def default_values() -> dict[str, Any]:
    backend = {"url": "http://oap.istio-system:12800", "settle": "5s"}
    return {"backends": {"prod": backend}}
