"""Parallel rollouts: each scenario yields what it waits for, and one list call per poll serves all scenarios."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.rollout_timeline import OBSERVED_KINDS, RolloutSnapshot, RolloutTimeline, WaitCondition

RolloutScenario = Generator[WaitCondition, RolloutSnapshot, RolloutTimeline]
"""A scenario yields a condition, receives the snapshot that fulfils it, and returns its timeline."""


def run_scenario(scenario: RolloutScenario) -> RolloutTimeline:
    """Run one scenario and return its timeline."""
    try:
        condition = next(scenario)
        while True:
            condition = scenario.send(condition.timeline.wait(condition))
    except StopIteration as done:
        timeline: RolloutTimeline = done.value
        return timeline


@dataclass(slots=True)
class ScenarioResults:
    """Result of each scenario: its timeline or its error. An error ends only its own scenario."""

    timelines: dict[str, RolloutTimeline] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)

    def __contains__(self, scenario: str) -> bool:
        return scenario in self.timelines or scenario in self.errors

    @contextmanager
    def capture_end(self, scenario: str) -> Iterator[None]:
        """Record the end of a scenario: StopIteration with its timeline, or an error."""
        try:
            yield
        except StopIteration as done:
            self.timelines[scenario] = done.value
        except Exception as error:  # noqa: BLE001 - raised again by `timeline`
            self.errors[scenario] = error

    def timeline(self, scenario: str) -> RolloutTimeline:
        """Return the timeline of a scenario, or raise its error."""
        if error := self.errors.get(scenario):
            raise AssertionError(f"{scenario}: {error}") from error
        return self.timelines[scenario]


@dataclass(slots=True)
class _RunningScenario:
    """A scenario with its current condition and deadline."""

    scenario: RolloutScenario
    condition: WaitCondition
    ends_at: float

    @classmethod
    def begin(cls, scenario: RolloutScenario) -> "_RunningScenario":
        condition = next(scenario)
        return cls(scenario, condition, time.monotonic() + condition.seconds)

    def advance(self, objects: Sequence[Object]) -> None:
        """Continue the scenario if its condition holds; StopIteration is its end."""
        if self.condition.predicate(snapshot := self.condition.timeline.add_snapshot(objects)):
            self.condition = self.scenario.send(snapshot)
            self.ends_at = time.monotonic() + self.condition.seconds
        elif time.monotonic() > self.ends_at:
            raise self.condition.timeout_error()


def run_in_parallel(kubectl: Kubectl, scenarios: Mapping[str, RolloutScenario]) -> ScenarioResults:
    """Run all scenarios at once, each in its own namespace, until the last one ends."""
    results = ScenarioResults()
    running: dict[str, _RunningScenario] = {}
    for name, scenario in scenarios.items():
        with results.capture_end(name):
            running[name] = _RunningScenario.begin(scenario)
    while running:
        objects = kubectl.list(OBSERVED_KINDS, everywhere=True)
        for name, one in running.items():
            with results.capture_end(name):
                one.advance(objects)
        running = {name: one for name, one in running.items() if name not in results}
        time.sleep(0.5)
    return results
