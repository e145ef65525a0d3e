"""A/A runs: pods of one version, split at random into a pretended canary and stable. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from skywalking_provider.tools.backtest.history import MINUTE, History
from skywalking_provider.tools.backtest.versions import PodVersion

MIN_PODS: Final = 4
"""Pods of the version. Of fewer, there are hardly any different splits."""
_PRESENT_SHARE: Final = 0.8
"""Share of the minutes of a run in which a pod must have calls."""


@dataclass(frozen=True, slots=True)
class PodSplit:
    """Whole pods of one version on both sides.

    Attributes:
        version: The version.
        canary: Names of the pods of the pretended canary.
        stable: Names of the other pods.
        weight: Share of the calls in the run that the pretended canary has.
    """

    version: PodVersion
    canary: tuple[str, ...]
    stable: tuple[str, ...]
    weight: float


PodCalls = Mapping[PodVersion, Mapping[str, tuple[int, ...]]]
"""Calls of each pod of each version by minute of a history."""


def count_pods(calls: PodCalls) -> int:
    """Return the number of pods of the version that has most."""
    return max(map(len, calls.values()), default=0)


def plan_splits(
    history: History, length: timedelta, every: timedelta, calls: PodCalls, weight: float, count: int, seed: int
) -> list[tuple[datetime, PodSplit]]:
    """Return the starts and the splits of A/A runs, spread over the times at which a version has enough pods.

    Args:
        history: Minutes of the calls.
        length: Length of a run.
        every: Time between the starts of runs.
        calls: Calls of the pods.
        weight: Share of the calls that the pretended canary should have.
        count: Number of runs.
        seed: Seed of the splits. Equal seeds give equal splits.
    """
    slots = _find_slots(history, length, every, calls)
    random = Random(seed)  # noqa: S311 # not for secrets
    runs = []
    for number in range(count if slots else 0):
        start, version, pods = slots[number % len(slots)]
        runs.append((start, split_pods(version, pods, weight, random)))
    return runs


def split_pods(version: PodVersion, calls: Mapping[str, int], weight: float, random: Random) -> PodSplit:
    """Return a random split whose canary has a share of the calls that is as near to a weight as whole pods permit.

    Args:
        version: Version of the pods.
        calls: Calls of each pod in the run.
        weight: Share that the pretended canary should have.
        random: Source of the order of the pods.
    """
    order = sorted(calls)
    random.shuffle(order)
    total = sum(calls.values())
    shares = [sum(calls[pod] for pod in order[:size]) / total for size in range(1, len(order))]
    size = min(range(1, len(order)), key=lambda one: abs(shares[one - 1] - weight))
    return PodSplit(version, tuple(sorted(order[:size])), tuple(sorted(order[size:])), shares[size - 1])


_Slot = tuple[datetime, PodVersion, Mapping[str, int]]


def _find_slots(history: History, length: timedelta, every: timedelta, calls: PodCalls) -> Sequence[_Slot]:
    slots = []
    minutes, step = length // MINUTE, every // MINUTE
    for first in range(0, (history.end - history.start) // MINUTE - minutes + 1, step):
        for version, pods in calls.items():
            present = {
                pod: sum(counts[first : first + minutes])
                for pod, counts in pods.items()
                if sum(map(bool, counts[first : first + minutes])) >= _PRESENT_SHARE * minutes
            }
            if len(present) >= MIN_PODS:
                slots.append((history.start + first * MINUTE, version, present))
    return slots
