"""Rollouts of a day: which are in progress in a minute, with their services and pod-template-hashes. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SERVICES: Final = 50
IN_PROGRESS: Final = 6  # at any time
MINUTES: Final = 40  # of a rollout
_DIGITS: Final = str.maketrans("0123456789", "456789bcdf")  # as Argo writes the digits of a hash


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout.

    Attributes:
        number: Its number; all differ.
        start: Minute of its start, which is negative if it began before the day.
    """

    number: int
    start: int

    @property
    def service(self) -> int:
        """Number of its service."""
        return self.number % SERVICES

    @property
    def hashes(self) -> tuple[str, str]:
        """Hash of the canary and hash of stable, which is the canary of the rollout of the service before."""
        return _encode_hash(self.number + SERVICES), _encode_hash(self.number)


def rollouts_in_progress(minute: int) -> Iterator[Rollout]:
    """Yield the rollouts of a minute. One after another ends, and the next one of another service starts."""
    for slot in range(IN_PROGRESS):
        shift = slot * MINUTES // IN_PROGRESS
        generation = (minute + shift) // MINUTES
        yield Rollout(generation * IN_PROGRESS + slot, generation * MINUTES - shift)


def _encode_hash(number: int) -> str:
    return f"{number:09d}".translate(_DIGITS)
