"""Judgement of the minutes that a judged block collected: evidence, finding and result. Pure."""

from collections.abc import Callable, Sequence
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


JudgeSides = Callable[[Sides, int], Judgement]
"""Function with the parameters and the result of `judge_sides`."""


def judge_sides(sides: Sides, worse_from: int = 0) -> Judgement:
    """Judge the minutes that count.

    Args:
        sides: Minutes of both sides. At least one minute counts.
        worse_from: Position of the first minute for the evidence of a worse canary; the other evidence uses all.
    """
    return ContinuingJudge()(sides, worse_from)


class ContinuingJudge:
    """Judge that continues from its last judgement if the minutes are the same, followed by others.

    The judgement is that of all minutes, as that of a new judge.
    """

    def __init__(self) -> None:
        # State: what was judged last (spec, first minute for worse, minutes), and the evidence so far.
        self._spec: JudgedSpec | None = None
        self._worse_from = 0
        self._judged: list[_JudgedMinute] = []
        self._steps: list[EvidenceStep] = []
        self._strengths: dict[int, float] = {}

    def __call__(self, sides: Sides, worse_from: int = 0) -> Judgement:
        """Judge the minutes that count. See `judge_sides`."""
        spec, stable = sides.spec, None if sides.stable is None else sides.stable.minutes
        counted = [
            (minute, sides.canary.minutes[minute], None if stable is None else stable[minute])
            for minute in sides.counted
        ]
        known = len(self._judged)
        if spec is not self._spec or worse_from != self._worse_from or self._judged != counted[:known]:
            self._restart(spec, worse_from, counted[0][0])
            known = 0
        for minute in counted[known:]:
            self._add(minute)
        minutes = sides.counted
        evidence = self._steps[-1].evidence
        return Judgement(
            sides,
            decide(evidence, self._confidence, held=self._fine_judge.incident),
            self._confidence,
            tuple(self._steps),
            _pool(spec, sides.canary, minutes),
            None if sides.stable is None else _pool(spec, sides.stable, minutes),
            max(self._strengths, key=self._strengths.__getitem__),
            self._fine_judge.incident,
            estimate_minutes(evidence, self._confidence, self._fine_judge.fine_growth),
        )

    def _restart(self, spec: JudgedSpec, worse_from: int, first: int) -> None:
        self._spec, self._worse_from = spec, worse_from
        self._confidence = Confidence.of(spec.confidence.worse, spec.confidence.fine)
        self._fine_judge = self._worse_judge = Judge(_build_test(spec), self._confidence)
        if worse_from > first:
            self._worse_judge = Judge(_build_test(spec), self._confidence)
        self._judged, self._steps, self._strengths = [], [], {}

    def _add(self, judged: "_JudgedMinute") -> None:
        assert self._spec is not None  # noqa: S101 # set by `_restart`
        minute, canary, stable = judged
        both = _build_minute(self._spec, canary, stable)
        bets, evidence = self._fine_judge.add(both), self._fine_judge.evidence
        if self._worse_judge is not self._fine_judge:
            if minute >= self._worse_from:
                bets = self._worse_judge.add(both)
            evidence = Evidence(self._worse_judge.evidence.worse, evidence.fine)
        self._strengths[minute] = max(bets.worse)
        self._steps.append(EvidenceStep(minute, evidence))
        self._judged.append(judged)


_JudgedMinute = tuple[int, SideMinute, SideMinute | None]


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
