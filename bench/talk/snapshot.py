"""State of Git, Argo CD, Argo Rollouts and the VirtualService at one moment, from their objects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measurement of an AnalysisRun."""

    run: str
    metric: str
    number: int
    phase: str
    value: str
    message: str
    finished_at: str

    @property
    def key(self) -> tuple[str, str, int]:
        return self.run, self.metric, self.number


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State at one moment.

    Attributes:
        at: Time in seconds since the epoch.
        revision: Git commit that Argo CD has synchronised.
        sync: Argo CD's state of synchronisation.
        health: Argo CD's health of the application.
        health_message: Message of the Rollout in Argo CD's tree.
        phase: Phase of the Rollout.
        stable: Hash of the stable ReplicaSet.
        canary: Hash of the newest ReplicaSet.
        step: Number of steps that are done.
        aborted: Whether the update was aborted.
        weight: Weight of the subset canary in the VirtualService.
        measurements: Measurements of all AnalysisRuns, oldest run first.
    """

    at: float
    revision: str = ""
    sync: str = ""
    health: str = ""
    health_message: str = ""
    phase: str = ""
    stable: str = ""
    canary: str = ""
    step: int = 0
    aborted: bool = False
    weight: int = 0
    measurements: tuple[Measurement, ...] = ()

    def is_promoted(self, canary: str) -> bool:
        """Return whether the version with this hash is stable and has all traffic."""
        return self.phase == "Healthy" and self.stable == self.canary == canary and self.weight == 0

    def is_rolled_back(self, canary: str) -> bool:
        """Return whether the version with this hash was aborted and has no traffic."""
        return self.phase == "Degraded" and self.aborted and self.canary == canary and self.weight == 0


def parse_snapshot(
    at: float, application: Object, tree: Object, rollout: Object, service: Object, runs: Sequence[Object]
) -> Snapshot:
    """Read a snapshot from objects; an object that does not exist yet is empty."""
    state, status = application.get("status", {}), rollout.get("status", {})
    return Snapshot(
        at=at,
        revision=state.get("sync", {}).get("revision", ""),
        sync=state.get("sync", {}).get("status", ""),
        health=state.get("health", {}).get("status", ""),
        health_message=_rollout_message(tree),
        phase=status.get("phase", ""),
        stable=status.get("stableRS", ""),
        canary=status.get("currentPodHash", ""),
        step=status.get("currentStepIndex", 0),
        aborted=status.get("abort", False),
        weight=_canary_weight(service),
        measurements=tuple(one for run in sorted(runs, key=_creation) for one in _parse_measurements(run)),
    )


def _rollout_message(tree: Object) -> str:
    for node in tree.get("nodes", ()):
        if node["kind"] == "Rollout":
            message: str = node.get("health", {}).get("message", "")
            return message
    return ""


def _canary_weight(service: Object) -> int:
    for route in service.get("spec", {}).get("http", [{}])[0].get("route", ()):
        if route["destination"].get("subset") == "canary":
            weight: int = route.get("weight", 0)
            return weight
    return 0


def _parse_measurements(run: Object) -> Iterator[Measurement]:
    for result in run.get("status", {}).get("metricResults", ()):
        for number, one in enumerate(result.get("measurements", ())):
            yield Measurement(
                run=run["metadata"]["name"],
                metric=result["name"],
                number=number,
                phase=one.get("phase", ""),
                value=one.get("value", ""),
                message=one.get("message", ""),
                finished_at=one.get("finishedAt") or "",
            )


def _creation(run: Object) -> tuple[str, str]:
    return run["metadata"]["creationTimestamp"], run["metadata"]["name"]
