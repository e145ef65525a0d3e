"""What happened to a rollout, as the API server's objects tell it: looked at twice a second until it is decided."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from e2e_kubectl import Kubectl, Object
from e2e_lab import Say

ROLLOUT = "rollouts.argoproj.io"
RUN = "analysisruns.argoproj.io"
VIRTUAL_SERVICE = "virtualservices.networking.istio.io"
DESTINATION_RULE = "destinationrules.networking.istio.io"
SEEN = (ROLLOUT, VIRTUAL_SERVICE, RUN)


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

    @property
    def said(self) -> str:
        """The last message of a measurement."""
        return self.measured[-1].message if self.measured else ""


@dataclass(frozen=True, slots=True)
class Until:
    """What somebody waits for in a story, and how long."""

    story: "Story"
    ready: Callable[[Look], bool]
    seconds: float
    what: str

    def vain(self) -> AssertionError:
        return AssertionError(f"waited {self.seconds:.0f} s in vain for {self.what}; last seen: {self.story.last}")


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
        return self.see(self.kubectl.list(SEEN))

    def see(self, objects: Sequence[Object]) -> Look:
        """Take one look at what the API server just told, of any namespace."""
        own = [o for o in objects if o["metadata"]["namespace"] == self.kubectl.namespace]
        rollout = next(o for o in own if o["kind"] == "Rollout" and o["metadata"]["name"] == self.rollout)
        service = next(o for o in own if o["kind"] == "VirtualService")
        runs = [o for o in own if o["kind"] == "AnalysisRun"]
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
            last = f", {now.said}" if now.said else ""
            self.say(f"{now.phase or 'new'}, stable/canary {now.weights[0]}/{now.weights[1]}, {tally(now)}{last}")
        return now

    def until(self, ready: Callable[[Look], bool], seconds: float, what: str) -> Look:
        """Follow the rollout until a look is as wanted; the error of a vain wait tells the last look."""
        return self.wait(Until(self, ready, seconds, what))

    def wait(self, wanted: Until) -> Look:
        end = time.monotonic() + wanted.seconds
        while not wanted.ready(now := self.look()):
            if time.monotonic() > end:
                raise wanted.vain()
            time.sleep(0.5)
        return now

    def decision(self, seconds: float) -> Until:
        """The update is promoted or rolled back."""

        def ready(now: Look) -> bool:
            return now.rolled_back or (now.promoted and now.stable != self.before)

        return Until(self, ready, seconds, "the update to be promoted or rolled back")

    def decided(self, seconds: float) -> Look:
        """Follow it until the update is promoted or rolled back."""
        return self.wait(self.decision(seconds))

    def passing(self, seconds: float, of: str) -> Until:
        """So much time, in which the rollout is looked at."""
        end = time.monotonic() + seconds
        return Until(self, lambda _: time.monotonic() >= end, seconds + 60, of)

    def pause_reasons(self) -> list[str]:
        """Why Argo paused the rollout."""
        status = self.kubectl.get(ROLLOUT, self.rollout)["status"]
        return [one["reason"] for one in status.get("pauseConditions", [])]


def follow(stories: Sequence[Story], ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Follow several rollouts of one cluster until all together are as wanted."""
    end = time.monotonic() + seconds
    while True:
        objects = stories[0].kubectl.list(SEEN, everywhere=True)
        for story in stories:
            story.see(objects)
        if ready():
            return
        assert time.monotonic() < end, (
            f"waited {seconds:.0f} s in vain for {what}; last seen: {[s.last for s in stories]}"
        )
        time.sleep(0.5)


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
