"""Outcomes of many rollouts: how many were aborted or found fine, and after how many minutes. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np

from bench.simulation.scenarios import Ints


@dataclass(frozen=True, slots=True)
class Times:
    """Number of rollouts by the minute of an event.

    Attributes:
        runs: Number of rollouts.
        by_minute: Number of rollouts with the event in the first, second and each further minute.
    """

    runs: int
    by_minute: Sequence[int]

    @property
    def count(self) -> int:
        """Number of rollouts with the event."""
        return sum(self.by_minute)

    @property
    def share(self) -> float:
        """Share of the rollouts with the event."""
        return self.count / self.runs if self.runs else 0.0

    @property
    def standard_error(self) -> float:
        """Standard error of the share."""
        return sqrt(self.share * (1 - self.share) / self.runs) if self.runs else 0.0

    def share_by(self, minute: int) -> float:
        """Return the share of the rollouts with the event up to a minute."""
        return sum(self.by_minute[:minute]) / self.runs if self.runs else 0.0

    def quantile(self, share: float) -> int | None:
        """Return the minute by which a share of all rollouts had the event; None if fewer had it."""
        wanted, found = max(1, ceil(round(share * self.runs, 6))), 0
        for minute, number in enumerate(self.by_minute, 1):
            found += number
            if found >= wanted:
                return minute
        return None

    @property
    def median(self) -> int | None:
        """Median of the minutes; None if fewer than half of the rollouts had the event."""
        return self.quantile(0.5)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of one judge in one scenario.

    Attributes:
        aborted: Minutes after the begin of the fault until the rollout was aborted.
        fine: Minutes until the canary was found fine without having been aborted; None for judges without it.
        aborted_before: Rollouts that were aborted before the fault began. They do not count.
    """

    aborted: Times
    fine: Times | None = None
    aborted_before: int = 0


def count_outcome(aborts: Ints, minutes: int, begin: int = 0, fine: Ints | None = None) -> Outcome:
    """Count the rollouts by minute.

    Args:
        aborts: Look that aborts each rollout, from 1; 0 for none.
        minutes: Duration of the rollouts.
        begin: Number of minutes before the fault begins.
        fine: Look that finds each canary fine, from 1; 0 for none.
    """
    before = (aborts > 0) & (aborts <= begin)
    kept = aborts[~before]
    times = Times(len(kept), _count_by_minute(kept[kept > 0] - begin, minutes - begin))
    if fine is None:
        return Outcome(times, aborted_before=int(before.sum()))
    promoted = fine[(fine > 0) & ((aborts == 0) | (fine < aborts))]
    return Outcome(times, Times(len(fine), _count_by_minute(promoted, minutes)), int(before.sum()))


def encode(outcome: Outcome) -> dict[str, Any]:
    """Return the counts as JSON."""
    encoded: dict[str, Any] = {"runs": outcome.aborted.runs, "abortedByMinute": list(outcome.aborted.by_minute)}
    if outcome.aborted_before:
        encoded["abortedBefore"] = outcome.aborted_before
    if outcome.fine:
        encoded["fineByMinute"] = list(outcome.fine.by_minute)
    return encoded


def _count_by_minute(minutes: Ints, duration: int) -> list[int]:
    return [int(count) for count in np.bincount(minutes, minlength=duration + 1)[1:]]
