"""Versions of a service in its history: which pod-template-hash had calls when, and which deploys that shows. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.queries.instance_selection import hash_label, pod_names
from skywalking_provider.queries.pod_names import is_experiment_pod

_POD: Final = re.compile(
    r"(?:^|@)(?P<rollout>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)-(?P<hash>[a-z0-9]{5,10})-[a-z0-9]{5}(?![A-Za-z0-9-])"
)
_IDLE_MINUTES: Final = 10
"""Minutes without calls after which a version is regarded as gone."""
_STABLE_MINUTES: Final = 30
"""Minutes after the first call of a version whose calls decide which other version is stable."""


@dataclass(frozen=True, slots=True, order=True)
class PodVersion:
    """Version that the name of a pod has."""

    rollout: str
    pod_template_hash: str


@dataclass(frozen=True, slots=True)
class VersionCalls:
    """Calls of all pods of one version.

    Attributes:
        version: The version.
        calls: Calls by minute of the history.
    """

    version: PodVersion
    calls: tuple[int, ...]

    @property
    def first(self) -> int:
        """Position of the first minute with calls; after the last minute if there is none."""
        return next((at for at, count in enumerate(self.calls) if count), len(self.calls))


@dataclass(frozen=True, slots=True)
class Deploy:
    """Minutes in which a new version had calls beside an old one.

    Attributes:
        canary: New version.
        stable: Old version.
        start: Position of the first minute.
        end: Position after the last minute.
    """

    canary: PodVersion
    stable: PodVersion
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reign:
    """Minutes in which a version is the newest one with calls; positions as in `Deploy`."""

    version: PodVersion
    start: int
    end: int


def read_version(instance: InventoryInstance) -> PodVersion | None:
    """Return the version of an instance's pod; None if it is not a pod of a ReplicaSet, or one of an Experiment."""
    texts = list(pod_names(instance))
    if any(map(is_experiment_pod, texts)):
        return None
    label = hash_label(instance)
    for text in texts:
        match = _POD.search(text)
        if match and (not label or match["hash"] == label):
            return PodVersion(match["rollout"], match["hash"])
    return None


def find_deploys(versions: Sequence[VersionCalls]) -> list[Deploy]:
    """Return the deploys of a history in order of time.

    Of two versions that both have calls in the first minute of the history, the one with fewer calls is the canary.
    """
    deploys = []
    for one in versions:
        start = one.first
        soon = slice(start, start + _STABLE_MINUTES)
        older = [
            other for other in versions if other is not one and any(other.calls[soon]) and _is_older(other, one, soon)
        ]
        if start < len(one.calls) and older:
            stable = max(older, key=lambda other: sum(other.calls[soon]))
            deploys.append(Deploy(one.version, stable.version, start, _end_of_overlap(one, stable, start)))
    return sorted(deploys, key=lambda deploy: deploy.start)


def find_reigns(versions: Iterable[VersionCalls]) -> list[Reign]:
    """Return which version is the newest one with calls, in order of time."""
    ordered = sorted((one for one in versions if any(one.calls)), key=lambda one: (one.first, -sum(one.calls)))
    reigns = []
    for at, one in enumerate(ordered):
        last = max(minute for minute, count in enumerate(one.calls) if count) + 1
        end = min([last, *(other.first for other in ordered[at + 1 :])])
        if end > one.first:
            reigns.append(Reign(one.version, one.first, end))
    return reigns


def _is_older(other: VersionCalls, one: VersionCalls, soon: slice) -> bool:
    if other.first != one.first:
        return other.first < one.first
    return sum(other.calls[soon]) > sum(one.calls[soon])


def _end_of_overlap(one: VersionCalls, other: VersionCalls, start: int) -> int:
    """Return the position after the last minute in which both have calls, before either pauses for long."""
    end = start
    last = [start, start]
    for minute in range(start, len(one.calls)):
        for side, calls in enumerate((one.calls, other.calls)):
            if calls[minute]:
                last[side] = minute
        if minute - min(last) > _IDLE_MINUTES:
            break
        if one.calls[minute] and other.calls[minute]:
            end = minute + 1
    return end
