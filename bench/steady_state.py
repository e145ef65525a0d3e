"""Trend of the memory of a process over hours, and whether it has reached a steady state. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import t

FIRST_HOUR: Final = 25
"""First of the hours of the trend: the service's cache of judged minutes fills and the allocator settles before."""
NEGLIGIBLE_MIB: Final = 0.05
"""Growth in an hour that counts as none, 1.2 MiB in a day: the kernel counts pages, of which some stay mapped."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Slope of a regression line.

    Attributes:
        slope: Slope in MiB per hour.
        margin: Half of its 95 % interval, if the deviations from the line are independent of each other.
    """

    slope: float
    margin: float

    @property
    def is_steady(self) -> bool:
        """Whether the slope is within its measurement error of none, or negligible."""
        return self.slope <= max(self.margin, NEGLIGIBLE_MIB)


def fit_trend(hours: Sequence[dict[str, Any]]) -> Trend:
    """Return the trend of the resident memory from FIRST_HOUR on.

    Args:
        hours: Samples at the end of each hour: its number and the resident memory in MiB.
    """
    last = [one for one in hours if one["hour"] >= FIRST_HOUR]
    times, sizes = [one["hour"] for one in last], [one["residentMiB"] for one in last]
    (slope, _), covariance = np.polyfit(times, sizes, 1, cov=True)
    return Trend(float(slope), float(t.ppf(0.975, len(times) - 2) * np.sqrt(covariance[0, 0])))
