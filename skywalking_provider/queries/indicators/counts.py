"""Counts from what OAP keeps, and indicators from counts. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FULL = 10_000  # OAP writes ratios times 10,000, cut off


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls, and how many of them succeeded: exactly, or between two bounds.

    Up to 10,000 calls a bucket, `low == high`; above, OAP's ratio does not tell single calls apart.
    """

    calls: int
    low: int
    high: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.calls + other.calls, self.low + other.low, self.high + other.high)

    @property
    def success_rate(self) -> float:
        """The pessimistic end, by which is judged: what can be said for certain."""
        return self.low / self.calls

    @property
    def success_rate_at_most(self) -> float:
        """The other end, which is told beside it: a verdict between the two is one of OAP's rounding."""
        return self.high / self.calls


def compute_counts(sla: int, calls: int) -> Counts:
    """The counts behind one bucket.

    OAP keeps `sla = successes * 10000 / calls` in integer division, so that
    `sla * calls / 10000 <= successes < (sla + 1) * calls / 10000`.
    Source: oap-server core, PercentMetrics.calculate.

    Args:
        sla: 0 to 10,000.
        calls: More than none.
    """
    low = -(-sla * calls // FULL)
    high = min(calls, -(-(sla + 1) * calls // FULL) - 1)
    return Counts(calls, low, max(low, high))


def weighted_mean(pairs: Iterable[tuple[float, int]]) -> float:
    """The mean of values by their calls.

    Args:
        pairs: Values and calls; at least one with calls.
    """
    total, weight = 0.0, 0
    for value, calls in pairs:
        total += value * calls
        weight += calls
    return total / weight


def sum_counts(all_counts: Sequence[Counts]) -> Counts:
    """All counts together."""
    return sum(all_counts, Counts(0, 0, 0))
