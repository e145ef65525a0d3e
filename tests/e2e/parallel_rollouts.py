"""Several rollouts at the same time: each scene says what it waits for, and one look at the cluster serves them all."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.rollout_timeline import OBSERVED_KINDS, RolloutSnapshot, RolloutTimeline, WaitCondition

RolloutScenario = Generator[WaitCondition, RolloutSnapshot, RolloutTimeline]
"""Yields what it waits for, is sent the look in which it came, and returns its story."""


def run_scenario(scenario: RolloutScenario) -> RolloutTimeline:
    """Play one scene."""
    try:
        wanted = next(scenario)
        while True:
            wanted = scenario.send(wanted.timeline.wait(wanted))
    except StopIteration as done:
        story: RolloutTimeline = done.value
        return story


@dataclass(slots=True)
class ScenarioResults:
    """How each scene ended: with its story, or with what went wrong in it, which is nobody else's trouble."""

    timelines: dict[str, RolloutTimeline] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)

    def __contains__(self, scenario: str) -> bool:
        return scenario in self.timelines or scenario in self.errors

    @contextmanager
    def capture_end(self, scenario: str) -> Iterator[None]:
        """Whether a scene ends here, and how."""
        try:
            yield
        except StopIteration as done:
            self.timelines[scenario] = done.value
        except Exception as error:  # noqa: BLE001 - told by `story` to whom it concerns
            self.errors[scenario] = error

    def timeline(self, scenario: str) -> RolloutTimeline:
        if error := self.errors.get(scenario):
            raise AssertionError(f"{scenario}: {error}") from error
        return self.timelines[scenario]


@dataclass(slots=True)
class _RunningScenario:
    """A scene, what it waits for, and until when."""

    scenario: RolloutScenario
    condition: WaitCondition
    ends_at: float

    @classmethod
    def begin(cls, scenario: RolloutScenario) -> "_RunningScenario":
        wanted = next(scenario)
        return cls(scenario, wanted, time.monotonic() + wanted.seconds)

    def advance(self, objects: Sequence[Object]) -> None:
        """Go on if what it waited for has come; StopIteration is its end."""
        if self.condition.predicate(look := self.condition.timeline.add_snapshot(objects)):
            self.condition = self.scenario.send(look)
            self.ends_at = time.monotonic() + self.condition.seconds
        elif time.monotonic() > self.ends_at:
            raise self.condition.timeout_error()


def run_in_parallel(kubectl: Kubectl, scenarios: Mapping[str, RolloutScenario]) -> ScenarioResults:
    """Play all scenes at once, each in a namespace of its own, until the last has ended."""
    played = ScenarioResults()
    acting: dict[str, _RunningScenario] = {}
    for name, scene in scenarios.items():
        with played.capture_end(name):
            acting[name] = _RunningScenario.begin(scene)
    while acting:
        objects = kubectl.list(OBSERVED_KINDS, everywhere=True)
        for name, actor in acting.items():
            with played.capture_end(name):
                actor.advance(objects)
        acting = {name: actor for name, actor in acting.items() if name not in played}
        time.sleep(0.5)
    return played
