"""Case: minutes with the limits that they are judged by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skywalking_provider.judgement import (
    Confidence,
    FailureCounts,
    LatencyComparison,
    LatencyMinute,
    LatencyObjective,
    LatencyPair,
    Limit,
    MinuteTest,
    RateComparison,
    RateObjective,
    RatePair,
)
from skywalking_provider.judgement.latency import MEAN_VARIANCE


class CaseKind(StrEnum):
    """Kind of the values, with the form of the limits."""

    OBJECTIVE = "objective"
    COMPARE = "compare"
    LATENCY = "latency"
    LATENCY_OBJECTIVE = "latency objective"

    @property
    def is_latency(self) -> bool:
        """Whether a latency is judged instead of a rate."""
        return self in {CaseKind.LATENCY, CaseKind.LATENCY_OBJECTIVE}

    @property
    def has_stable(self) -> bool:
        """Whether the canary is compared with stable."""
        return self in {CaseKind.COMPARE, CaseKind.LATENCY}


@dataclass(frozen=True, slots=True)
class SideCounts:
    """One side in one minute.

    Attributes:
        calls: Number of calls.
        low: Lowest possible number of failures, or the latency in milliseconds.
        high: Highest possible number of failures, or the latency in milliseconds.
    """

    calls: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CaseMinute:
    """Both sides in one minute; None is a side without data."""

    canary: SideCounts | None
    stable: SideCounts | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Minutes in the order of time, and what they are judged by.

    Attributes:
        kind: What is judged, and against what.
        tolerated: Limit up to which the canary is no worse than tolerated: failure rates or milliseconds. Its ratio is
            0 without stable.
        harmful: Limit from which on the canary must not pass.
        minutes: Minutes, including those that do not count.
        confidence: Confidence that is wanted.
        variance: Assumed variance of the logarithm of a latency.
    """

    kind: CaseKind
    tolerated: Limit
    harmful: Limit
    minutes: tuple[CaseMinute, ...]
    confidence: Confidence
    variance: float = MEAN_VARIANCE

    def counts(self, minute: CaseMinute) -> bool:
        """Return whether a minute counts: each side that is judged has calls and a value."""
        sides = (minute.canary, minute.stable) if self.kind.has_stable else (minute.canary,)
        return all(side is not None and side.calls > 0 for side in sides)

    def build_test(self) -> MinuteTest[Any]:
        """Return the bets of this case."""
        return _TESTS[self.kind](self)

    def build_minute(self, minute: CaseMinute) -> Any:
        """Return a minute that counts in the form of the bets."""
        build = _build_latency if self.kind.is_latency else _build_counts
        canary = build(minute.canary)
        if not self.kind.has_stable:
            return canary
        pair: Callable[..., Any] = LatencyPair if self.kind.is_latency else RatePair
        return pair(canary, build(minute.stable))


_TESTS: Mapping[CaseKind, Callable[[Case], MinuteTest[Any]]] = {
    CaseKind.OBJECTIVE: lambda case: RateObjective(case.tolerated.difference, case.harmful.difference),
    CaseKind.COMPARE: lambda case: RateComparison(case.tolerated, case.harmful),
    CaseKind.LATENCY: lambda case: LatencyComparison(case.tolerated, case.harmful, case.variance),
    CaseKind.LATENCY_OBJECTIVE: lambda case: LatencyObjective(
        case.tolerated.difference, case.harmful.difference, case.variance
    ),
}


def _build_counts(side: SideCounts | None) -> FailureCounts:
    assert side is not None  # noqa: S101 # the minute counts
    return FailureCounts(side.calls, side.low, side.high)


def _build_latency(side: SideCounts | None) -> LatencyMinute:
    assert side is not None  # noqa: S101 # the minute counts
    return LatencyMinute(side.calls, side.high)
