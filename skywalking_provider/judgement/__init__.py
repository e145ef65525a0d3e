"""Statistical judgement of a canary: evidence from the calls of each minute. Pure, standard library only.

A judge is fed with the closed minutes of a run in order. For each minute it makes bets against two hypotheses: that the
canary is no worse than tolerated, and that it is at least harmful. What the bets have won is the evidence against them.
By Ville's inequality evidence of 1/α is reached with a probability of at most α if the hypothesis is true,
however often one looks.
"""

from skywalking_provider.judgement.evidence import (
    MAX_ESTIMATE_MINUTES,
    Confidence,
    Evidence,
    Finding,
    decide,
    estimate_minutes,
    is_suspicious,
)
from skywalking_provider.judgement.judge import Judge
from skywalking_provider.judgement.latency import (
    LatencyComparison,
    LatencyMinute,
    LatencyObjective,
    LatencyPair,
    latency_variance,
)
from skywalking_provider.judgement.limits import Limit
from skywalking_provider.judgement.minute_test import MinuteTest
from skywalking_provider.judgement.rates import FailureCounts, RateComparison, RateObjective, RatePair

__all__ = [
    "MAX_ESTIMATE_MINUTES",
    "Confidence",
    "Evidence",
    "FailureCounts",
    "Finding",
    "Judge",
    "LatencyComparison",
    "LatencyMinute",
    "LatencyObjective",
    "LatencyPair",
    "Limit",
    "MinuteTest",
    "RateComparison",
    "RateObjective",
    "RatePair",
    "decide",
    "estimate_minutes",
    "is_suspicious",
    "latency_variance",
]
