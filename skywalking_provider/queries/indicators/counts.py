"""Counts of successful calls behind OAP's ratios, and indicators computed from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FULL = 10_000  # OAP stores ratios as integers: times 10,000, rounded down


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of calls, with bounds of the number of successful ones.

    Up to 10,000 calls per bucket `low == high`. Above, single calls are lost in OAP's ratio.
    """

    calls: int
    low: int
    high: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.calls + other.calls, self.low + other.low, self.high + other.high)

    @property
    def success_rate(self) -> float:
        """Lowest possible success rate. The conditions are evaluated on it."""
        return self.low / self.calls

    @property
    def success_rate_at_most(self) -> float:
        """Highest possible success rate, for the message. A verdict between both depends on OAP's rounding."""
        return self.high / self.calls


def compute_counts(sla: int, calls: int) -> Counts:
    """Return the counts behind the ratio of one bucket.

    OAP stores `sla = successes * 10000 / calls` in integer division, so that
    `sla * calls / 10000 <= successes < (sla + 1) * calls / 10000`.
    Source: oap-server core, PercentMetrics.calculate.

    Args:
        sla: Ratio from 0 to 10,000.
        calls: Number of calls, at least one.
    """
    low = -(-sla * calls // FULL)
    high = min(calls, -(-(sla + 1) * calls // FULL) - 1)
    return Counts(calls, low, max(low, high))


def weighted_mean(pairs: Iterable[tuple[float, int]]) -> float:
    """Return the mean of values weighted by calls.

    Args:
        pairs: Values with their calls; at least one has calls.
    """
    total, weight = 0.0, 0
    for value, calls in pairs:
        total += value * calls
        weight += calls
    return total / weight


def sum_counts(all_counts: Sequence[Counts]) -> Counts:
    """Return the sum of counts."""
    return sum(all_counts, Counts(0, 0, 0))
