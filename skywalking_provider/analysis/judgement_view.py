"""View of a judgement for people: both sides, the tolerated limit and the evidence by minute, and the finding in words.

The history page and `check` draw it. Its size is bounded. No I/O.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from skywalking_provider.analysis.judgement_message import format_evidence, format_value
from skywalking_provider.analysis.judging import Judgement, limit_beside
from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.judgement import MAX_ESTIMATE_MINUTES, Finding
from skywalking_provider.model import Window
from skywalking_provider.queries.series import format_number
from skywalking_provider.queries.sides import Side, SideMinute
from skywalking_provider.support.counts import format_count

MAX_VIEW_MINUTES = 120
"""Minutes that are kept: the last ones. A chart has no space for more."""

_MAX_EVIDENCE = 1e9
_BYTES_OF_MINUTE = 400


@dataclass(frozen=True, slots=True)
class MinuteView:
    """One minute of a judgement.

    Attributes:
        start: Start in the OAP's time zone.
        canary: Value of the canary: a rate at its worse end, or a latency in milliseconds; None without calls.
        stable: Value of stable; None without calls or with an objective.
        tolerated: Value of the canary that is just tolerated in this minute; None if stable has no calls.
        canary_calls: Calls of the canary.
        stable_calls: Calls of stable.
        worse: Evidence of a worse canary after this minute; None if the minute does not count.
        fine: Evidence of a fine canary after this minute; None if the minute does not count.
    """

    start: datetime
    canary: float | None
    stable: float | None
    tolerated: float | None
    canary_calls: int
    stable_calls: int
    worse: float | None
    fine: float | None


@dataclass(frozen=True, slots=True)
class JudgementView:
    """Minutes and finding of a judgement.

    Attributes:
        label: Name of the indicator.
        latency: Whether the values are milliseconds instead of rates.
        compares: Whether there is a stable side.
        finding: What is found.
        explanation: The finding in plain words.
        needed_worse: Evidence that finds the canary worse.
        needed_fine: Evidence that finds the canary fine.
        minutes: The last minutes, at most MAX_VIEW_MINUTES.
        more_minutes: Number of earlier minutes that are left out.
    """

    label: str
    latency: bool
    compares: bool
    finding: Finding
    explanation: str
    needed_worse: float
    needed_fine: float
    minutes: tuple[MinuteView, ...]
    more_minutes: int

    @property
    def size(self) -> int:
        """Approximate memory use in bytes."""
        return 400 + len(self.explanation) + _BYTES_OF_MINUTE * len(self.minutes)


def build_judgement_view(judgement: Judgement, window: Window) -> JudgementView:
    """Build the view of a judgement over a window."""
    first = max(0, window.buckets - MAX_VIEW_MINUTES)
    return JudgementView(
        judgement.sides.label,
        judgement.spec.judges_latency,
        judgement.stable is not None,
        judgement.finding,
        explain_finding(judgement),
        judgement.confidence.worse_evidence,
        judgement.confidence.fine_evidence,
        tuple(_build_minutes(judgement, window, range(first, window.buckets))),
        first,
    )


def explain_finding(judgement: Judgement) -> str:
    """Return the finding in words for people without statistics."""
    confidence = judgement.confidence
    match judgement.finding:
        case Finding.WORSE:
            than = "worse than stable" if judgement.stable else "worse than the objective"
            runs = format_evidence(confidence.worse_evidence)
            return (
                f"The canary is {than}, by more than is tolerated. A canary in order looks like this in fewer than 1 of"
                f" {runs} runs."
            )
        case Finding.FINE:
            runs = format_evidence(confidence.fine_evidence)
            return (
                f"The canary is fine. A harmful one ({_describe_harmful(judgement.spec)}) looks this good in fewer"
                f" than 1 of {runs} runs."
            )
    return f"Nothing is found yet. {_explain_open(judgement)}"


def describe_short(judgement: Judgement) -> str:
    """Return the finding and the values of both sides in a few words."""
    canary = format_value(judgement, judgement.canary.value)
    beside = f", stable {format_value(judgement, judgement.stable.value)}" if judgement.stable else ""
    return f"{judgement.finding}: {judgement.sides.label} {canary}{beside}"


def _explain_open(judgement: Judgement) -> str:
    if judgement.suspicious:
        have, needed = judgement.evidence.worse, judgement.confidence.worse_evidence
        return (
            "The canary looks worse than tolerated, but the evidence is not sufficient:"
            f" {format_evidence(have)} of {format_evidence(needed)}."
        )
    if judgement.incident:
        return "Stable itself fails too often to call the canary fine now."
    if judgement.between_limits:
        return "The canary is between tolerated and harmful."
    minutes = judgement.minutes_to_fine
    if minutes is None or minutes > MAX_ESTIMATE_MINUTES:
        return "There are too few calls."
    return f"There are too few calls. About {format_count(minutes, 'more minute')} are needed at this traffic."


def _describe_harmful(spec: JudgedSpec) -> str:
    bound = spec.harmful_limit
    if bound is None:
        return f"{format_number(spec.harmful_objective or 0.0)}{' ms' if spec.judges_latency else ''}"
    ratio, difference = format_number(bound.ratio), bound.difference
    if spec.judges_latency:
        return f"{ratio} × stable + {format_number(difference)} ms"
    return f"{ratio} × stable's failures + {format_number(100 * difference)} %"


def _build_minutes(judgement: Judgement, window: Window, positions: Iterable[int]) -> Iterable[MinuteView]:
    steps = {step.minute: step.evidence for step in judgement.steps}
    sides, spec = judgement.sides, judgement.spec
    for at in positions:
        canary, stable = sides.canary.minutes.get(at), _find_minute(sides.stable, at)
        evidence = steps.get(at)
        yield MinuteView(
            window.bucket_start(at),
            _read_value(spec, canary),
            _read_value(spec, stable),
            _resolve_tolerated(spec, stable),
            canary.calls if canary else 0,
            stable.calls if stable else 0,
            min(evidence.worse, _MAX_EVIDENCE) if evidence else None,
            min(evidence.fine, _MAX_EVIDENCE) if evidence else None,
        )


def _find_minute(side: Side | None, at: int) -> SideMinute | None:
    return None if side is None else side.minutes.get(at)


def _read_value(spec: JudgedSpec, minute: SideMinute | None) -> float | None:
    if minute is None:
        return None
    return minute.high if spec.judges_latency else 1 - minute.high / minute.calls


def _resolve_tolerated(spec: JudgedSpec, stable: SideMinute | None) -> float | None:
    bound, value = spec.tolerated, _read_value(spec, stable)
    if bound is None:
        return spec.objective
    if value is None:
        return None
    return max(0.0, limit_beside(spec, bound, value))
