"""The golden looks: minutes with their evidence and finding, computed with 50 digits by another implementation."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skywalking_provider.judgement import (
    Confidence,
    FailureCounts,
    Judge,
    LatencyComparison,
    LatencyMinute,
    LatencyObjective,
    LatencyPair,
    Limit,
    RateComparison,
    RateObjective,
    RatePair,
)

LOOKS = json.loads((Path(__file__).parent / "golden_looks.json").read_text())


@dataclass(frozen=True)
class Look:
    """Judge of a golden look before its minutes."""

    judge: Judge[Any]
    minutes: list[Any]
    confidence: Confidence
    held: bool = False


def prepare_look(look: dict[str, Any]) -> Look:
    confidence = Confidence(float(look["alpha"]), float(look["beta"]))
    minutes, held = look["minutes"], False
    match look["kind"]:
        case "objective":
            test: Any = RateObjective(float(look["tolerated"]), float(look["harmful"]))
            minutes = [FailureCounts(*one) for one in minutes]
        case "compare":
            test = RateComparison(_limit(look["tolerance"]), _limit(look["harm"]))
            minutes = [RatePair(FailureCounts(*one[:3]), FailureCounts(*one[3:])) for one in minutes]
            held = test.is_incident(minutes[-1])
        case "latency":
            test = LatencyComparison(_limit(look["tolerance"]), _limit(look["harm"]), float(look["variance"]))
            minutes = [LatencyPair(LatencyMinute(*one[:2]), LatencyMinute(*one[2:])) for one in minutes]
        case "latency objective":
            test = LatencyObjective(float(look["wanted"]), float(look["harmful"]), float(look["variance"]))
            minutes = [LatencyMinute(*one) for one in minutes]
    return Look(Judge(test, confidence), minutes, confidence, held)


def _limit(pair: list[str]) -> Limit:
    return Limit(*map(float, pair))
