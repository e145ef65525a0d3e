"""Share of the canary in the traffic, compared with the weights of the VirtualService."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.9999
"""A correct split is outside its interval once in 10,000 steps. A run has about ten steps."""
CONFIGURATION_SECONDS = 3.0
"""Time after a change of the weight for which calls are not counted, because Envoy gets it from istiod later."""
POLL_SECONDS = 2.0
"""Time before the first observation of the next weight for which calls are not counted."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call through the gateway. Version is empty if no pod responded."""

    started_at: float
    version: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class WeightSegment:
    """A time in which the canary's weight did not change."""

    begins: float
    ends: float
    weight: int


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """Calls of a segment: how many the canary got, and the limits of the binomial interval."""

    segment: WeightSegment
    calls: int
    canary_calls: int
    lowest: int
    highest: int

    @property
    def is_within_interval(self) -> bool:
        return self.lowest <= self.canary_calls <= self.highest

    @property
    def share(self) -> float:
        return self.canary_calls / self.calls if self.calls else math.nan


def find_segments(observed: Sequence[tuple[float, int]], ends: float) -> list[WeightSegment]:
    """Join observations (time, weight of the canary) to segments of one weight.

    Args:
        observed: Observations, oldest first.
        ends: End of the last segment.
    """
    segments: list[WeightSegment] = []
    for at, weight in observed:
        if segments and segments[-1].weight == weight:
            continue
        if segments:
            segments[-1] = WeightSegment(segments[-1].begins, at, segments[-1].weight)
        segments.append(WeightSegment(at, ends, weight))
    return segments


def binomial_interval(calls: int, share: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Return the lowest and the highest plausible number of hits of this many calls, each hit with this probability."""
    if share <= 0 or share >= 1 or calls == 0:
        exact = round(calls * share)
        return exact, exact
    tail = (1 - confidence) / 2
    masses = [_binomial_mass(calls, hits, share) for hits in range(calls + 1)]
    return _first_beyond(masses, tail), calls - _first_beyond(masses[::-1], tail)


def _first_beyond(masses: Sequence[float], tail: float) -> int:
    total = 0.0
    for index, mass in enumerate(masses):
        total += mass
        if total > tail:
            return index
    return len(masses) - 1


def _binomial_mass(calls: int, hits: int, share: float) -> float:
    choices = math.lgamma(calls + 1) - math.lgamma(hits + 1) - math.lgamma(calls - hits + 1)
    return math.exp(choices + hits * math.log(share) + (calls - hits) * math.log1p(-share))


def check_split(segment: WeightSegment, calls: Sequence[Call], canary: str) -> SplitCheck:
    """Compare the calls of a segment with its weight; the times around a change of the weight are left out."""
    begins, ends = segment.begins + CONFIGURATION_SECONDS, segment.ends - POLL_SECONDS
    versions = [call.version for call in calls if begins <= call.started_at < ends and call.version]
    lowest, highest = binomial_interval(len(versions), segment.weight / 100)
    return SplitCheck(segment, len(versions), versions.count(canary), lowest, highest)
