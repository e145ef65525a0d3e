"""Judge: minutes in, evidence out."""

from typing import Generic, Protocol, TypeVar

from skywalking_provider.judgement.evidence import Confidence, Evidence, FineEvidence, MinuteBets, WorseEvidence

Minute_contra = TypeVar("Minute_contra", contravariant=True)


class MinuteTest(Protocol[Minute_contra]):
    """Bets on the minutes of one kind. Implementations may keep facts of earlier minutes."""

    def bets(self, minute: Minute_contra) -> MinuteBets:
        """Return the bets of the next minute."""
        ...


class Judge(Generic[Minute_contra]):
    """Accumulates the evidence of minutes that count, in order of time.

    Args:
        test: Bets of one minute.
        confidence: Confidence that is wanted.
    """

    def __init__(self, test: MinuteTest[Minute_contra], confidence: Confidence) -> None:
        self._test = test
        self._worse = WorseEvidence(confidence.alpha)
        self._fine = FineEvidence(confidence.beta)

    def add(self, minute: Minute_contra) -> MinuteBets:
        """Add a minute, and return its bets."""
        bets = self._test.bets(minute)
        self._worse.add(bets.worse)
        self._fine.add(bets.fine)
        return bets

    @property
    def evidence(self) -> Evidence:
        """Evidence of the minutes so far."""
        return Evidence(self._worse.value, self._fine.value)

    @property
    def fine_growth(self) -> float:
        """Growth of the logarithm of `evidence.fine` per minute so far. For estimates only."""
        return self._fine.growth
