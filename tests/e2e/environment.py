"""Environment of one scenario: a namespace of the lab's cluster, and the OAP with the telemetry of its pods."""

from dataclasses import dataclass
from typing import Self

from tests.e2e.kubectl import Object
from tests.e2e.lab import Lab, ProgressReporter
from tests.e2e.manifests import get_block, prefix_progress, rollout_scenario
from tests.e2e.oap_pool import OapPool, backend_name
from tests.e2e.parallel_rollouts import RolloutScenario
from tests.e2e.rollout_timeline import RolloutTimeline


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment of a scenario: the cluster, the OAP with its data, and its own namespace."""

    lab: Lab
    version: str
    oap: Lab
    backend: str
    namespace: str
    report_progress: ProgressReporter

    @classmethod
    def create(
        cls, lab: Lab, oap_pool: OapPool, version: str, scenario: str, report_progress: ProgressReporter
    ) -> Self:
        """Create the environment of a scenario on the OAP of this version, which is started."""
        namespace = f"{scenario}-{version}".replace(".", "-").replace("_", "-")
        reporter = prefix_progress(report_progress, f"{version} {scenario}")
        return cls(lab, version, oap_pool.ensure_running(version), backend_name(version), namespace, reporter)

    @property
    def service(self) -> str:
        return f"reviews.{self.namespace}"

    def select_backend(self, template: Object) -> Object:
        """Let every metric of a template read from this OAP."""
        for metric in template["spec"]["metrics"]:
            block = get_block(metric)
            block.pop("address", None)
            block["backend"] = self.backend
        return template

    def start(self, rollout: Object, *templates: Object) -> RolloutScenario:
        """Deploy and update a rollout in this environment."""
        selected = [self.select_backend(template) for template in templates]
        return (yield from rollout_scenario(self.lab, self.namespace, rollout, selected, self.report_progress))


def pod_names(timeline: RolloutTimeline, pod_template_hash: str) -> str:
    """Return the names of a version's pods in the format of the feeder's table; empty without pods."""
    pods = timeline.kubectl.list(["pods"])
    names = [pod["metadata"]["name"] for pod in pods if f"-{pod_template_hash}-" in pod["metadata"]["name"]]
    return ",".join(sorted(names))
