"""Evidence from the bets of all minutes, and what is found from it.

Both are nonnegative supermartingales that start at 1, so that by Ville's inequality they reach 1/α with a
probability of at most α. `WorseEvidence` also starts anew at each minute, with weights that sum to 1, so that it
finds a fault that begins late.

Sources: Waudby-Smith & Ramdas, arXiv 2010.09686 (testing by betting); Shin, Ramdas & Rinaldo, arXiv 2203.03532
(starting anew).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import ceil, exp, log, sqrt
from typing import Final, Self

_CAP: Final = 0.4  # of the logarithm of 1/alpha: what one minute can win, so that two minutes never find a canary worse
_MAX_CAPITAL: Final = 1e290
_KEPT: Final = 0.1  # share of the capital that is not staked
_MAX_FINE: Final = 4.0  # times what is needed; so one bad minute outweighs any number of good ones
_MAX_FINE_LOG: Final = 50.0
MAX_ESTIMATE_MINUTES: Final = 24 * 60
"""Minutes above which an estimate is not shown: traffic changes in the course of a day."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """Probabilities of false findings.

    Attributes:
        alpha: Probability with which a canary that is no worse than tolerated may be found worse.
        beta: Probability with which a canary that is at least harmful may be found fine.
    """

    alpha: float = 0.001
    beta: float = 0.05

    @classmethod
    def of(cls, worse: float, fine: float) -> Self:
        """Return the probabilities of a confidence in both findings, such as 0.999 and 0.95."""
        return cls(float(1 - Decimal(str(worse))), float(1 - Decimal(str(fine))))

    @property
    def worse_evidence(self) -> float:
        """Evidence that finds the canary worse."""
        return 1 / self.alpha

    @property
    def fine_evidence(self) -> float:
        """Evidence that finds the canary fine."""
        return 1 / self.beta


@dataclass(frozen=True, slots=True)
class Evidence:
    """Winnings of the bets so far, as a factor of the capital.

    Attributes:
        worse: Evidence that the canary is worse than tolerated; 1/α is needed.
        fine: Evidence that the canary is better than harmful; 1/β is needed.
    """

    worse: float
    fine: float


class Finding(StrEnum):
    """Statement about the canary that the evidence permits."""

    WORSE = "worse"
    FINE = "fine"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class MinuteBets:
    """Logarithms of what the bets of one minute win, one for each assumed size of the effect.

    Attributes:
        worse: Bets that the canary is worse than tolerated.
        fine: Bets that the canary is better than harmful.
    """

    worse: Sequence[float]
    fine: Sequence[float]


class WorseEvidence:
    """Evidence that a stretch of minutes up to the last one is worse than tolerated.

    Args:
        alpha: Probability of a false finding.
    """

    def __init__(self, alpha: float) -> None:
        self._cap = _CAP * log(1 / alpha)
        # State: number of minutes, and capital by bet.
        self._minutes = 0
        self._capital: list[float] = []

    def add(self, bets: Sequence[float]) -> None:
        """Add the bets of the next minute that counts."""
        self._minutes += 1
        stake = 1 / (self._minutes * (self._minutes + 1))
        capital, cap = self._capital or [0.0] * len(bets), self._cap
        self._capital = [
            min(_MAX_CAPITAL, (before + stake) * exp(min(bet, cap))) for before, bet in zip(capital, bets, strict=True)
        ]

    @property
    def value(self) -> float:
        """Evidence; 1 without minutes."""
        won = sum(self._capital) / len(self._capital) if self._capital else 0.0
        return won + 1 / (self._minutes + 1)


class FineEvidence:
    """Evidence that the canary is better than harmful. Evidence of long ago fades.

    Args:
        beta: Probability of a false finding.
    """

    def __init__(self, beta: float) -> None:
        self._max = _MAX_FINE / beta
        # State: number of minutes, and by bet the capital and the sum of logarithms.
        self._minutes = 0
        self._capital: list[float] = []
        self._sums: list[float] = []

    def add(self, bets: Sequence[float]) -> None:
        """Add the bets of the next minute that counts."""
        self._minutes += 1
        capital, limit = self._capital or [1.0] * len(bets), self._max
        self._sums = [before + bet for before, bet in zip(self._sums or [0.0] * len(bets), bets, strict=True)]
        self._capital = [
            min(limit, before * (_KEPT + (1 - _KEPT) * exp(min(bet, _MAX_FINE_LOG))))
            for before, bet in zip(capital, bets, strict=True)
        ]

    @property
    def value(self) -> float:
        """Evidence; 1 without minutes."""
        return sum(self._capital) / len(self._capital) if self._capital else 1.0

    @property
    def growth(self) -> float:
        """Growth of the evidence's logarithm per minute so far, of the best bet. For estimates only."""
        return max(self._sums) / self._minutes if self._sums else 0.0


def decide(evidence: Evidence, confidence: Confidence, *, held: bool = False) -> Finding:
    """Return what evidence says about the canary.

    Args:
        evidence: Evidence of all minutes that count.
        confidence: Confidence that is wanted.
        held: Whether the canary must not be found fine now, because stable itself fails.
    """
    if evidence.worse >= confidence.worse_evidence:
        return Finding.WORSE
    if evidence.fine >= confidence.fine_evidence and not is_suspicious(evidence, confidence) and not held:
        return Finding.FINE
    return Finding.OPEN


def is_suspicious(evidence: Evidence, confidence: Confidence) -> bool:
    """Return whether the canary looks worse than tolerated, but not yet with the confidence that is wanted."""
    return evidence.worse >= sqrt(confidence.worse_evidence)


def estimate_minutes(evidence: Evidence, confidence: Confidence, growth: float) -> int | None:
    """Estimate how many more minutes like those so far are needed to find the canary fine. It is for reading only.

    Args:
        evidence: Evidence of all minutes that count.
        confidence: Confidence that is wanted.
        growth: Growth of the logarithm of `evidence.fine` per minute so far.

    Returns:
        Number of minutes, at least one; None if the minutes so far do not lead there.
    """
    if growth <= 0 or evidence.fine <= 0 or is_suspicious(evidence, confidence):
        return None
    return max(1, ceil((log(confidence.fine_evidence) - log(evidence.fine)) / growth))
