"""Judge: minutes in, evidence out."""

from typing import Generic

from skywalking_provider.judgement.evidence import Confidence, Evidence, FineEvidence, MinuteBets, WorseEvidence
from skywalking_provider.judgement.minute_test import Minute_contra, MinuteTest


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
        # State beside the evidence: whether the last minute was an incident.
        self._incident = False

    def add(self, minute: Minute_contra) -> MinuteBets:
        """Add a minute, and return its bets."""
        bets = self._test.bets(minute)
        self._worse.add(bets.worse)
        self._fine.add(bets.fine)
        self._incident = self._test.is_incident(minute)
        return bets

    @property
    def evidence(self) -> Evidence:
        """Evidence of the minutes so far."""
        return Evidence(self._worse.value, self._fine.value)

    @property
    def incident(self) -> bool:
        """Whether stable itself failed so often in the last minute that the canary must not be found fine."""
        return self._incident

    @property
    def fine_growth(self) -> float:
        """Growth of the logarithm of `evidence.fine` per minute so far. For estimates only."""
        return self._fine.growth
