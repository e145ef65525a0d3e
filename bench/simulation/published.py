"""Published figures of an earlier, independent simulation of the same scenarios, to compare with.

Source: the specification of the judgement, "The statistical judgement of a canary", sections 9.1 (false aborts) and
9.2 (faults). It was computed with 20,000 rollouts by scenario in 9.1 and 5,000 in 9.2, with 3,000 for Fisher's test and
1,000 for the Mann–Whitney test. It rounds shares of more than 10 % to whole percent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bench.simulation.judges import BASELINES, COMPARISON_JUDGE, OBJECTIVE_JUDGE

HEALTHY_COLUMNS: Final = ("H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "H9", "H10", "H11")
FAULT_COLUMNS: Final = ("F1", "F2", "F3", "F4", "F5", "F6", "F7")
NEVER: Final = None
"""Median if fewer than half of the rollouts were aborted."""
HEALTHY_RUNS, FAULT_RUNS = 20_000, 5_000
_TEMPLATE_0, _TEMPLATE_3, _RATIO_0, _RATIO_3, _EXACT, _FISHER, _MANN_WHITNEY = (one.name for one in BASELINES)
FEWER_RUNS: Final[Mapping[str, int]] = MappingProxyType({_FISHER: 3_000, _MANN_WHITNEY: 1_000})

FALSE_ABORTS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        _TEMPLATE_0: ("99", "99", "96", "100", "100", "100", "100", "83", "98", "53", "0.21"),
        _TEMPLATE_3: ("95", "97", "82", "100", "99", "100", "100", "53", "88", "18", "0"),
        _RATIO_0: ("34", "39", "13", "100", "100", "100", "98", "63", "30", "53", "0.010"),
        _RATIO_3: ("9.12", "13", "0.72", "100", "100", "94", "92", "52", "6.65", "50", "0"),
        _EXACT: ("0.39", "1.47", "2.28", "100", "100", "100", "30", "3.16", "0.73", "3.74", "0"),
        _FISHER: ("15", "26", "63", "44", "100", "100", "18", "9.07", "32", "5.23", "73"),
        _MANN_WHITNEY: ("3.80", "1.10", "3.30", "3.50", "6.20", "7.00", "2.70", "0", "2.10", "0", "2.40"),
        OBJECTIVE_JUDGE: ("0", "0", "0", "9.66", "0", "0", "0.005", "0", "0", "0", "0"),
        COMPARISON_JUDGE: ("0", "0.005", "0", "0", "0", "0.035", "0", "0", "0", "0", "0"),
    }
)
"""Aborted healthy rollouts in percent, by judge and scenario."""

FAULTS_FOUND: Final[Mapping[str, Sequence[tuple[int | None, str]]]] = MappingProxyType(
    {
        _TEMPLATE_0: ((1, "100"), (1, "100"), (1, "100"), (1, "100"), (2, "100"), (1, "100"), (1, "100")),
        _TEMPLATE_3: ((4, "100"), (1, "100"), (4, "100"), (4, "100"), (5, "100"), (4, "100"), (4, "100")),
        _RATIO_0: ((1, "100"), (1, "100"), (1, "100"), (1, "100"), (2, "98"), (1, "100"), (1, "100")),
        _RATIO_3: ((4, "100"), (3, "100"), (4, "100"), (4, "100"), (8, "93"), (4, "100"), (4, "100")),
        _EXACT: ((1, "100"), (2, "100"), (3, "100"), (1, "100"), (NEVER, "35"), (1, "100"), (1, "100")),
        _FISHER: ((1, "100"), (3, "100"), (2, "100"), (1, "100"), (1, "100"), (1, "100"), (1, "100")),
        _MANN_WHITNEY: ((4, "100"), (NEVER, "50"), (7, "100"), (4, "100"), (4, "100"), (4, "100"), (4, "100")),
        OBJECTIVE_JUDGE: ((4, "100"), (6, "100"), (22, "76"), (4, "100"), (NEVER, "0"), (3, "100"), (6, "100")),
        COMPARISON_JUDGE: ((5, "100"), (8, "100"), (14, "96"), (4, "100"), (5, "100"), (3, "100"), (6, "100")),
    }
)
"""Median of the minutes until a fault is found and the share of found faults in percent, by judge and scenario."""


@dataclass(frozen=True, slots=True)
class PublishedShare:
    """Published share of rollouts.

    Attributes:
        share: Share, from 0 to 1.
        rounding: Largest error of the share by rounding.
        runs: Number of rollouts.
    """

    share: float
    rounding: float
    runs: int


def parse_share(percent: str, runs: int) -> PublishedShare:
    """Return a share that is published in percent. Its digits tell the rounding; 0 means no rollout at all."""
    decimals = len(percent.partition(".")[2])
    return PublishedShare(float(percent) / 100, 0.0 if percent == "0" else 0.005 / 10**decimals, runs)
