"""Judgement of the minutes that a judged block collected: evidence, finding and result. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.analysis.window import MeasurementWindow
from skywalking_provider.block.compare import Bound
from skywalking_provider.block.judged import MAX_MINUTES, JudgedSpec
from skywalking_provider.judgement import (
    Confidence,
    Evidence,
    FailureCounts,
    Finding,
    Judge,
    LatencyComparison,
    LatencyMinute,
    LatencyObjective,
    LatencyPair,
    Limit,
    MinuteTest,
    RateComparison,
    RateObjective,
    RatePair,
    decide,
    estimate_minutes,
    is_suspicious,
    latency_variance,
)
from skywalking_provider.queries.sides import Side, SideMinute, Sides

_MAX_SHOWN_EVIDENCE = 1e9


@dataclass(frozen=True, slots=True)
class PooledSide:
    """One side over all minutes that count.

    Attributes:
        calls: Number of calls.
        failures: Highest possible number of failed calls; 0 for latency.
        value: Indicator in its unit: the rate at its worse end, or the mean latency weighted by calls.
    """

    calls: int
    failures: float
    value: float


@dataclass(frozen=True, slots=True)
class EvidenceStep:
    """Evidence after one minute that counts.

    Attributes:
        minute: Position of the minute in the window.
        evidence: Evidence of the minutes up to this one.
    """

    minute: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Judgement:
    """Evidence, finding and sums of the minutes of a run.

    Attributes:
        sides: Minutes of both sides.
        finding: What is found.
        confidence: Confidence that is wanted.
        steps: Evidence after each minute that counts; at least one.
        canary: The canary over these minutes.
        stable: Stable over these minutes; None with an objective.
        worst_minute: Position of the minute with the strongest bet that the canary is worse.
        incident: Whether stable itself fails so often that nothing should be promoted.
        minutes_to_fine: Estimate of the minutes that are missing until the canary is fine; None without one.
    """

    sides: Sides
    finding: Finding
    confidence: Confidence
    steps: tuple[EvidenceStep, ...]
    canary: PooledSide
    stable: PooledSide | None
    worst_minute: int
    incident: bool
    minutes_to_fine: int | None

    @property
    def spec(self) -> JudgedSpec:
        """Spec of the block."""
        return self.sides.spec

    @property
    def evidence(self) -> Evidence:
        """Evidence of all minutes."""
        return self.steps[-1].evidence

    @property
    def suspicious(self) -> bool:
        """Whether the canary looks worse, but not yet with the confidence that is wanted."""
        return is_suspicious(self.evidence, self.confidence)

    @property
    def between_limits(self) -> bool:
        """Whether the canary's pooled value is worse than tolerated, but better than harmful."""
        low, high = sorted((self.tolerated, self.harmful))
        return low < self.canary.value < high

    @property
    def tolerated(self) -> float:
        """Value of the canary that is just tolerated, beside the pooled value of stable."""
        return self._beside_stable(self.spec.tolerated, self.spec.objective)

    @property
    def harmful(self) -> float:
        """Value of the canary that is just harmful, beside the pooled value of stable."""
        return self._beside_stable(self.spec.harmful_limit, self.spec.harmful_objective)

    def _beside_stable(self, bound: Bound | None, objective: float | None) -> float:
        if self.stable is None or bound is None:
            return objective or 0.0
        return limit_beside(self.spec, bound, self.stable.value)

    def result(self) -> dict[str, object]:
        """Return the result that conditions are evaluated on."""
        result: dict[str, object] = {"verdict": self.finding.value, "canary": _shorten(self.canary.value)}
        calls = {"canary": self.canary.calls}
        if self.stable is not None:
            result["stable"] = _shorten(self.stable.value)
            result["difference"] = _shorten(self.canary.value - self.stable.value)
            calls["stable"] = self.stable.calls
        evidence = {
            name: _shorten(min(value, _MAX_SHOWN_EVIDENCE))
            for name, value in (("worse", self.evidence.worse), ("fine", self.evidence.fine))
        }
        return result | {
            "tolerated": _shorten(self.tolerated),
            "harmful": _shorten(self.harmful),
            "evidence": evidence,
            "calls": calls,
            "minutes": len(self.steps),
        }


def limit_beside(spec: JudgedSpec, bound: Bound, stable: float) -> float:
    """Return the value of the canary at a bound, beside a value of stable, in the unit of the indicator."""
    if spec.judges_latency:
        return bound.difference + bound.ratio * stable
    return 1 - (bound.difference + bound.ratio * (1 - stable))


def first_minute_of_worse(minutes_since_start: int) -> int:
    """Return the minute of a run from which on evidence of a worse canary is computed.

    Args:
        minutes_since_start: Number of closed minutes since the start of the run.
    """
    return max(0, minutes_since_start - 1) // MAX_MINUTES * MAX_MINUTES


def position_of_worse(window: MeasurementWindow) -> int:
    """Return the position in a window from which on evidence of a worse canary is computed."""
    since_start = window.buckets_since_start
    return max(0, window.window.buckets - since_start + first_minute_of_worse(since_start))


def judge_sides(sides: Sides, worse_from: int = 0) -> Judgement:
    """Judge the minutes that count.

    Args:
        sides: Minutes of both sides. At least one minute counts.
        worse_from: Position of the first minute for the evidence of a worse canary; the other evidence uses all.
    """
    minutes, spec = sides.counted, sides.spec
    confidence = Confidence.of(spec.confidence.worse, spec.confidence.fine)
    fine_judge = worse_judge = Judge(_build_test(spec), confidence)
    if worse_from > minutes[0]:
        worse_judge = Judge(_build_test(spec), confidence)
    steps, strengths = list[EvidenceStep](), dict[int, float]()
    for minute in minutes:
        stable = None if sides.stable is None else sides.stable.minutes[minute]
        both = _build_minute(spec, sides.canary.minutes[minute], stable)
        bets, evidence = fine_judge.add(both), fine_judge.evidence
        if worse_judge is not fine_judge:
            if minute >= worse_from:
                bets = worse_judge.add(both)
            evidence = Evidence(worse_judge.evidence.worse, evidence.fine)
        strengths[minute] = max(bets.worse)
        steps.append(EvidenceStep(minute, evidence))
    finding = decide(steps[-1].evidence, confidence, held=fine_judge.incident)
    return Judgement(
        sides,
        finding,
        confidence,
        tuple(steps),
        _pool(spec, sides.canary, minutes),
        None if sides.stable is None else _pool(spec, sides.stable, minutes),
        max(strengths, key=strengths.__getitem__),
        fine_judge.incident,
        estimate_minutes(steps[-1].evidence, confidence, fine_judge.fine_growth),
    )


def _build_test(spec: JudgedSpec) -> MinuteTest[Any]:
    variance = latency_variance(spec.percentile)
    if spec.tolerated is not None and spec.harmful_limit is not None:
        tolerated, harmful = _to_limit(spec.tolerated), _to_limit(spec.harmful_limit)
        if spec.judges_latency:
            return LatencyComparison(tolerated, harmful, variance)
        return RateComparison(tolerated, harmful)
    wanted, harmful_objective = spec.objective or 0.0, spec.harmful_objective or 0.0
    if spec.judges_latency:
        return LatencyObjective(wanted, harmful_objective, variance)
    return RateObjective(1 - wanted, 1 - harmful_objective)


def _to_limit(bound: Bound) -> Limit:
    return Limit(bound.difference, bound.ratio)


def _build_minute(spec: JudgedSpec, canary: SideMinute, stable: SideMinute | None) -> Any:
    if spec.judges_latency:
        latency = LatencyMinute(canary.calls, canary.high)
        return latency if stable is None else LatencyPair(latency, LatencyMinute(stable.calls, stable.high))
    counts = FailureCounts(canary.calls, canary.low, canary.high)
    return counts if stable is None else RatePair(counts, FailureCounts(stable.calls, stable.low, stable.high))


def _pool(spec: JudgedSpec, side: Side, minutes: Sequence[int]) -> PooledSide:
    counted = [side.minutes[minute] for minute in minutes]
    calls = sum(one.calls for one in counted)
    if spec.judges_latency:
        return PooledSide(calls, 0.0, sum(one.high * one.calls for one in counted) / calls)
    failures = sum(one.high for one in counted)
    return PooledSide(calls, failures, 1 - failures / calls)


def _shorten(number: float) -> float:
    return float(f"{number:.6g}")
