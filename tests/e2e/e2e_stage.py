"""Several rollouts at the same time: each scene says what it waits for, and one look at the cluster serves them all."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from e2e_kubectl import Kubectl, Object
from e2e_story import SEEN, Look, Story, Until

Scene = Generator[Until, Look, Story]
"""Yields what it waits for, is sent the look in which it came, and returns its story."""


def alone(scene: Scene) -> Story:
    """Play one scene."""
    try:
        wanted = next(scene)
        while True:
            wanted = scene.send(wanted.story.wait(wanted))
    except StopIteration as done:
        story: Story = done.value
        return story


@dataclass(slots=True)
class Played:
    """How each scene ended: with its story, or with what went wrong in it, which is nobody else's trouble."""

    stories: dict[str, Story] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)

    def __contains__(self, scene: str) -> bool:
        return scene in self.stories or scene in self.errors

    @contextmanager
    def ending(self, scene: str) -> Iterator[None]:
        """Whether a scene ends here, and how."""
        try:
            yield
        except StopIteration as done:
            self.stories[scene] = done.value
        except Exception as error:  # noqa: BLE001 - told by `story` to whom it concerns
            self.errors[scene] = error

    def story(self, scene: str) -> Story:
        if error := self.errors.get(scene):
            raise AssertionError(f"{scene}: {error}") from error
        return self.stories[scene]


@dataclass(slots=True)
class _Acting:
    """A scene, what it waits for, and until when."""

    scene: Scene
    wanted: Until
    end: float

    @classmethod
    def begin(cls, scene: Scene) -> "_Acting":
        wanted = next(scene)
        return cls(scene, wanted, time.monotonic() + wanted.seconds)

    def look(self, objects: Sequence[Object]) -> None:
        """Go on if what it waited for has come; StopIteration is its end."""
        if self.wanted.ready(look := self.wanted.story.see(objects)):
            self.wanted = self.scene.send(look)
            self.end = time.monotonic() + self.wanted.seconds
        elif time.monotonic() > self.end:
            raise self.wanted.vain()


def side_by_side(kubectl: Kubectl, scenes: Mapping[str, Scene]) -> Played:
    """Play all scenes at once, each in a namespace of its own, until the last has ended."""
    played = Played()
    acting: dict[str, _Acting] = {}
    for name, scene in scenes.items():
        with played.ending(name):
            acting[name] = _Acting.begin(scene)
    while acting:
        objects = kubectl.list(SEEN, everywhere=True)
        for name, actor in acting.items():
            with played.ending(name):
                actor.look(objects)
        acting = {name: actor for name, actor in acting.items() if name not in played}
        time.sleep(0.5)
    return played
