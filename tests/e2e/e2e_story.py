"""What happened to a rollout, as the API server's objects tell it: looked at twice a second until it is decided."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from e2e_kubectl import Kubectl, Object
from e2e_lab import Say

ROLLOUT = "rollouts.argoproj.io"
RUN = "analysisruns.argoproj.io"
VIRTUAL_SERVICE = "virtualservices.networking.istio.io"
DESTINATION_RULE = "destinationrules.networking.istio.io"
COMPLETED = ("Successful", "Failed", "Error", "Inconclusive")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement of a metric."""

    phase: str
    value: str
    message: str

    @classmethod
    def of(cls, measurement: Object) -> Self:
        return cls(measurement["phase"], measurement.get("value", ""), measurement.get("message", ""))


@dataclass(frozen=True, slots=True)
class Look:
    """The rollout, its weights and its analysis at one moment."""

    phase: str = ""
    aborted: bool = False
    stable: str = ""
    canary: str = ""
    weights: tuple[int, int] = (-1, -1)
    measured: tuple[Measured, ...] = ()

    @property
    def phases(self) -> list[str]:
        return [one.phase for one in self.measured]

    @property
    def promoted(self) -> bool:
        return self.phase == "Healthy" and self.stable == self.canary

    @property
    def rolled_back(self) -> bool:
        return self.phase == "Degraded" and self.aborted and self.weights == (100, 0)


@dataclass(slots=True)
class Story:
    """Every different look at one rollout since its update, the last one last."""

    kubectl: Kubectl
    rollout: str
    before: str
    say: Say
    looks: list[Look] = field(default_factory=lambda: [Look()])

    @property
    def last(self) -> Look:
        return self.looks[-1]

    @property
    def canary_weights(self) -> list[int]:
        """The canary's weights in the order they were seen, repetitions left out."""
        weights = [look.weights[1] for look in self.looks[1:]]
        return [now for before, now in zip([-1, *weights], weights, strict=False) if now != before]

    def look(self) -> Look:
        objects = self.kubectl.list((ROLLOUT, VIRTUAL_SERVICE, RUN))
        rollout = next(o for o in objects if o["kind"] == "Rollout" and o["metadata"]["name"] == self.rollout)
        service = next(o for o in objects if o["kind"] == "VirtualService")
        runs = [o for o in objects if o["kind"] == "AnalysisRun"]
        status = rollout.get("status", {})
        now = Look(
            status.get("phase", ""),
            status.get("abort", False),
            status.get("stableRS", ""),
            status.get("currentPodHash", ""),
            weights_of(service),
            tuple(one for run in sorted(runs, key=born) for one in measurements_of(run)),
        )
        if now != self.last:
            self.looks.append(now)
            last = f", {now.measured[-1].message}" if now.measured and now.measured[-1].message else ""
            self.say(f"{now.phase or 'new'}, stable/canary {now.weights[0]}/{now.weights[1]}, {tally(now)}{last}")
        return now

    def until(self, ready: Callable[[Look], bool], seconds: float, what: str) -> Look:
        """Follow the rollout until a look is as wanted; the error of a vain wait tells the last look."""
        until = time.monotonic() + seconds
        while not ready(now := self.look()):
            assert time.monotonic() < until, f"waited {seconds:.0f} s in vain for {what}; last seen: {now}"
            time.sleep(0.5)
        return now

    def decided(self, seconds: float) -> Look:
        """Follow it until the update is promoted or rolled back."""

        def ready(now: Look) -> bool:
            return now.rolled_back or (now.promoted and now.stable != self.before)

        return self.until(ready, seconds, "the update to be promoted or rolled back")


def weights_of(service: Object) -> tuple[int, int]:
    """The weights of the VirtualService's subsets stable and canary."""
    routes = service["spec"]["http"][0]["route"]
    by_subset = {route["destination"]["subset"]: route.get("weight", 0) for route in routes}
    return by_subset["stable"], by_subset["canary"]


def measurements_of(run: Object) -> list[Measured]:
    results: list[dict[str, Any]] = run.get("status", {}).get("metricResults", [])
    return [Measured.of(one) for result in results for one in result.get("measurements", [])]


def born(run: Object) -> tuple[str, str]:
    return run["metadata"]["creationTimestamp"], run["metadata"]["name"]


def tally(now: Look) -> str:
    """`Successful 2, Running 1`: how many measurements there are of each phase."""
    return ", ".join(f"{phase} {now.phases.count(phase)}" for phase in dict.fromkeys(now.phases)) or "no measurement"
