"""Judgement of a case: the evidence and the finding after each minute. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from skywalking_provider.judgement import Evidence, Finding, Judge, decide, estimate_minutes, is_suspicious
from skywalking_provider.tools.judge.case import Case, SideCounts


@dataclass(frozen=True, slots=True)
class MinuteLook:
    """Evidence and finding after one minute.

    Attributes:
        counts: Whether the minute counts; otherwise the evidence is that of the minute before.
        evidence: Evidence of the minutes up to this one.
        finding: What is found from it.
    """

    counts: bool
    evidence: Evidence
    finding: Finding


@dataclass(frozen=True, slots=True)
class Judgement:
    """Evidence, finding and sums of the minutes of a case.

    Attributes:
        case: The case.
        looks: Look after each minute.
        evidence: Evidence of all minutes.
        finding: What is found from it.
        incident: Whether stable itself fails so often that nothing should be promoted.
        minutes_to_fine: Estimate of the minutes that are missing until the canary is fine; None without one.
        canary: Sums of the canary's minutes that count; of latencies, the mean weighted by calls.
        stable: The same of stable.
    """

    case: Case
    looks: tuple[MinuteLook, ...]
    evidence: Evidence
    finding: Finding
    incident: bool
    minutes_to_fine: int | None
    canary: SideCounts
    stable: SideCounts

    @property
    def counted(self) -> int:
        """Number of minutes that count."""
        return sum(look.counts for look in self.looks)

    @property
    def suspicious(self) -> bool:
        """Whether the canary looks worse, but not yet with the confidence that is wanted."""
        return is_suspicious(self.evidence, self.case.confidence)


def judge_case(case: Case) -> Judgement:
    """Judge the minutes of a case, with the rule for incidents of stable."""
    judge = Judge(case.build_test(), case.confidence)
    finding = decide(judge.evidence, case.confidence)
    looks = list[MinuteLook]()
    for minute in case.minutes:
        counts = case.counts(minute)
        if counts:
            judge.add(case.build_minute(minute))
            finding = decide(judge.evidence, case.confidence, held=judge.incident)
        looks.append(MinuteLook(counts, judge.evidence, finding))
    counted = [minute for minute in case.minutes if case.counts(minute)]
    return Judgement(
        case,
        tuple(looks),
        judge.evidence,
        finding,
        judge.incident,
        estimate_minutes(judge.evidence, case.confidence, judge.fine_growth),
        _pool(case, [minute.canary for minute in counted]),
        _pool(case, [minute.stable for minute in counted]),
    )


def _pool(case: Case, sides: Sequence[SideCounts | None]) -> SideCounts:
    present = [side for side in sides if side is not None]
    calls = sum(side.calls for side in present)
    if not case.kind.is_latency:
        return SideCounts(calls, sum(side.low for side in present), sum(side.high for side in present))
    mean = sum(side.high * side.calls for side in present) / calls if calls else 0.0
    return SideCounts(calls, mean, mean)
