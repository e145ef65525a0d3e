"""Time until a verdict at the traffic of the past: its minutes are divided by the canary's weight and judged. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from skywalking_provider.analysis.clean_traffic import find_wider_harmful
from skywalking_provider.analysis.judging import judge_sides
from skywalking_provider.block import JudgedSpec
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from skywalking_provider.tools.suggest.model import Survey
from skywalking_provider.tools.suggest.traffic import quantile

_STARTS: Final = 12
"""Times of the past at which a run is assumed to start."""
_LENGTHS: Final = (45, 240)
"""Minutes that are judged: first a few, because most findings take less."""


@dataclass(frozen=True, slots=True)
class VerdictTime:
    """Minutes until a canary in order is found fine.

    Attributes:
        weight: Canary's share of the calls in percent.
        median: Minutes that half of the runs need; None for more than four hours.
        most: Minutes that nine of ten runs need; None for more than four hours.
    """

    weight: float
    median: int | None
    most: int | None


def estimate_verdict_time(spec: JudgedSpec, survey: Survey, weight: float) -> VerdictTime:
    """Return the time until a verdict on a canary that is as good as the past of its service.

    Args:
        spec: Judged block.
        survey: Past of the service.
        weight: Canary's share of the calls in percent.
    """
    minutes = survey.minutes[spec.sli]
    starts = [survey.first + at * survey.length // _STARTS for at in range(min(_STARTS, survey.length))]
    needed = [_count_minutes(spec, survey, minutes, start, weight / 100) for start in starts]
    unlimited = float("inf")
    median, most = (quantile([one or unlimited for one in needed], share) for share in (0.5, 0.9))
    return VerdictTime(weight, _limit(median), _limit(most))


def suggest_wider_harmful(spec: JudgedSpec, survey: Survey, weight: float, minutes: int) -> JudgedSpec | None:
    """Return the block with the strictest wider `harmful` that decides within a number of minutes; None without one.

    Args:
        spec: Judged block.
        survey: Past of the service.
        weight: Canary's share of the calls in percent.
        minutes: Minutes that the measurement waits.
    """
    sides = _divide(spec, survey, survey.minutes[spec.sli], survey.first, survey.length, weight / 100)
    return find_wider_harmful(sides, survey.length, minutes) if sides.counted else None


def _limit(minutes: float) -> int | None:
    return None if minutes == float("inf") else int(minutes)


def _count_minutes(
    spec: JudgedSpec, survey: Survey, minutes: Mapping[int, SideMinute], start: int, share: float
) -> int | None:
    for length in _LENGTHS:
        sides = _divide(spec, survey, minutes, start, length, share)
        if not sides.counted:
            continue
        judgement = judge_sides(sides)
        needed = judgement.confidence.fine_evidence
        found = next((one.minute + 1 for one in judgement.steps if one.evidence.fine >= needed), None)
        if found:
            return found
    return None


def _divide(
    spec: JudgedSpec, survey: Survey, minutes: Mapping[int, SideMinute], start: int, length: int, share: float
) -> Sides:
    """Return both sides of a pretended canary, in whole calls. The past repeats at its end."""
    canary, stable = dict[int, SideMinute](), dict[int, SideMinute]()
    calls = failures = 0.5  # parts of calls that are carried to the next minute
    for at in range(length):
        minute = minutes.get(survey.first + (start - survey.first + at) % survey.length)
        if minute is None:
            continue
        calls += minute.calls * share
        failed = 0.0 if spec.judges_latency else minute.high
        failures += failed * share
        of_canary = int(calls)
        failed_of_canary = min(int(failures), of_canary)
        calls -= of_canary
        failures -= failed_of_canary
        if of_canary:
            value = minute.high if spec.judges_latency else failed_of_canary
            canary[at] = SideMinute(of_canary, value, value)
        if minute.calls > of_canary:
            rest = minute.calls - of_canary
            value = minute.high if spec.judges_latency else min(max(0.0, failed - failed_of_canary), rest)
            stable[at] = SideMinute(rest, value, value)
    return Sides(spec, spec.sli.value, Side(canary), Side(stable) if spec.compare else None)
