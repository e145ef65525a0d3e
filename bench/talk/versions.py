"""Versions of the application that the talk commits, and the end that each must have."""

from dataclasses import dataclass
from enum import StrEnum


class Behaviour(StrEnum):
    """Behaviour of the application in the pods of a version."""

    GOOD = "good"
    BAD = "bad"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the application.

    Attributes:
        name: Tag of its image, which the application (lab/reviews) returns with each response.
        behaviour: What its pods do.
    """

    name: str
    behaviour: Behaviour

    @property
    def image(self) -> str:
        return f"reviews:{self.name}"

    @property
    def is_promoted(self) -> bool:
        """Return whether the rollout of this version must end at 100 %."""
        return self.behaviour is Behaviour.GOOD


FIRST = Version("v1", Behaviour.GOOD)
UPDATES = (Version("v2", Behaviour.GOOD), Version("v3-bad", Behaviour.BAD), Version("v4-slow", Behaviour.SLOW))


def find_version(image: str) -> Version:
    """Return the version of a pod by its image."""
    for version in (FIRST, *UPDATES):
        if version.image == image:
            return version
    raise ValueError(f"image {image} belongs to no version. Use one of {[one.image for one in (FIRST, *UPDATES)]}.")
