"""Timeline of a rollout: snapshots of its objects from the API server, taken twice a second until it is decided."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.lab import ProgressReporter

ROLLOUT = "rollouts.argoproj.io"
RUN = "analysisruns.argoproj.io"
VIRTUAL_SERVICE = "virtualservices.networking.istio.io"
DESTINATION_RULE = "destinationrules.networking.istio.io"
OBSERVED_KINDS = (ROLLOUT, VIRTUAL_SERVICE, RUN)


@dataclass(frozen=True, slots=True)
class MetricMeasurement:
    """One measurement of a metric."""

    metric: str
    phase: str
    value: str
    message: str

    @classmethod
    def parse(cls, metric: str, measurement: Object) -> Self:
        return cls(metric, measurement["phase"], measurement.get("value", ""), measurement.get("message", ""))


@dataclass(frozen=True, slots=True)
class RolloutSnapshot:
    """State of a rollout, its weights and its measurements at one moment."""

    phase: str = ""
    aborted: bool = False
    stable: str = ""
    canary: str = ""
    weights: tuple[int, int] = (-1, -1)
    measurements: tuple[MetricMeasurement, ...] = ()

    @property
    def phases(self) -> list[str]:
        return [one.phase for one in self.measurements]

    @property
    def promoted(self) -> bool:
        """Return whether the update is stable. The controller resets the weights after it reports Healthy."""
        return self.phase == "Healthy" and self.stable == self.canary and self.weights == (100, 0)

    @property
    def rolled_back(self) -> bool:
        return self.phase == "Degraded" and self.aborted and self.weights == (100, 0)

    @property
    def last_message(self) -> str:
        """Return the message of the last measurement."""
        return self.measurements[-1].message if self.measurements else ""


@dataclass(frozen=True, slots=True)
class WaitCondition:
    """A condition on a timeline with a time limit."""

    timeline: "RolloutTimeline"
    predicate: Callable[[RolloutSnapshot], bool]
    seconds: float
    description: str

    def timeout_error(self) -> AssertionError:
        return AssertionError(
            f"timeout after {self.seconds:.0f} s while waiting for {self.description}; last: {self.timeline.last}"
        )


@dataclass(slots=True)
class RolloutTimeline:
    """Distinct snapshots of one rollout since its update, oldest first."""

    kubectl: Kubectl
    rollout: str
    previous_stable: str
    report_progress: ProgressReporter
    snapshots: list[RolloutSnapshot] = field(default_factory=lambda: [RolloutSnapshot()])

    @property
    def last(self) -> RolloutSnapshot:
        return self.snapshots[-1]

    @property
    def canary_weights(self) -> list[int]:
        """Return the canary's weights in their order, without repetitions."""
        weights = [snapshot.weights[1] for snapshot in self.snapshots[1:]]
        return [now for before, now in zip([-1, *weights], weights, strict=False) if now != before]

    def take_snapshot(self) -> RolloutSnapshot:
        return self.add_snapshot(self.kubectl.list(OBSERVED_KINDS))

    def add_snapshot(self, objects: Sequence[Object]) -> RolloutSnapshot:
        """Add a snapshot of this rollout from objects of any namespace."""
        own = [o for o in objects if o["metadata"]["namespace"] == self.kubectl.namespace]
        rollout = next(o for o in own if o["kind"] == "Rollout" and o["metadata"]["name"] == self.rollout)
        service = next(o for o in own if o["kind"] == "VirtualService")
        runs = [o for o in own if o["kind"] == "AnalysisRun"]
        status = rollout.get("status", {})
        now = RolloutSnapshot(
            status.get("phase", ""),
            status.get("abort", False),
            status.get("stableRS", ""),
            status.get("currentPodHash", ""),
            parse_weights(service),
            tuple(one for run in sorted(runs, key=creation_key) for one in parse_measurements(run)),
        )
        if now != self.last:
            self.snapshots.append(now)
            last = f", {now.last_message}" if now.last_message else ""
            weights = f"stable/canary {now.weights[0]}/{now.weights[1]}"
            self.report_progress(f"{now.phase or 'new'}, {weights}, {format_phase_counts(now)}{last}")
        return now

    def wait_until(
        self, predicate: Callable[[RolloutSnapshot], bool], seconds: float, description: str
    ) -> RolloutSnapshot:
        """Take snapshots until one fulfils the predicate; the timeout error contains the last one."""
        return self.wait(WaitCondition(self, predicate, seconds, description))

    def wait(self, condition: WaitCondition) -> RolloutSnapshot:
        end = time.monotonic() + condition.seconds
        while not condition.predicate(now := self.take_snapshot()):
            if time.monotonic() > end:
                raise condition.timeout_error()
            time.sleep(0.5)
        return now

    def decision_condition(self, seconds: float) -> WaitCondition:
        """Return the condition that the update is promoted or rolled back."""

        def ready(now: RolloutSnapshot) -> bool:
            return now.rolled_back or (now.promoted and now.stable != self.previous_stable)

        return WaitCondition(self, ready, seconds, "the update to be promoted or rolled back")

    def wait_until_decided(self, seconds: float) -> RolloutSnapshot:
        """Take snapshots until the update is promoted or rolled back."""
        return self.wait(self.decision_condition(seconds))

    def elapsed_condition(self, seconds: float, description: str) -> WaitCondition:
        """Return the condition that this many seconds have passed, in which snapshots are taken."""
        end = time.monotonic() + seconds
        return WaitCondition(self, lambda _: time.monotonic() >= end, seconds + 60, description)

    def pause_reasons(self) -> list[str]:
        """Return Argo's reasons for the pause of the rollout."""
        status = self.kubectl.get(ROLLOUT, self.rollout)["status"]
        return [one["reason"] for one in status.get("pauseConditions", [])]


def wait_for_all(
    timelines: Sequence[RolloutTimeline], predicate: Callable[[], bool], seconds: float, description: str
) -> None:
    """Take snapshots of several rollouts of one cluster until the predicate holds."""
    end = time.monotonic() + seconds
    while True:
        objects = timelines[0].kubectl.list(OBSERVED_KINDS, everywhere=True)
        for timeline in timelines:
            timeline.add_snapshot(objects)
        if predicate():
            return
        assert time.monotonic() < end, (
            f"timeout after {seconds:.0f} s while waiting for {description}; last: {[one.last for one in timelines]}"
        )
        time.sleep(0.5)


def parse_weights(service: Object) -> tuple[int, int]:
    """Return the weights of the VirtualService's subsets stable and canary."""
    routes = service["spec"]["http"][0]["route"]
    by_subset = {route["destination"]["subset"]: route.get("weight", 0) for route in routes}
    return by_subset["stable"], by_subset["canary"]


def parse_measurements(run: Object) -> list[MetricMeasurement]:
    results: list[dict[str, Any]] = run.get("status", {}).get("metricResults", [])
    return [
        MetricMeasurement.parse(result["name"], one) for result in results for one in result.get("measurements", [])
    ]


def creation_key(run: Object) -> tuple[str, str]:
    return run["metadata"]["creationTimestamp"], run["metadata"]["name"]


def format_phase_counts(snapshot: RolloutSnapshot) -> str:
    """Format the number of measurements by phase: `Successful 2, Running 1`."""
    return (
        ", ".join(f"{phase} {snapshot.phases.count(phase)}" for phase in dict.fromkeys(snapshot.phases))
        or "no measurement"
    )
