"""Texts of a judgement: the numbers of both sides first, then the evidence. No I/O."""

from skywalking_provider.analysis.judging import Judgement, PooledSide
from skywalking_provider.analysis.message import Origin, format_calls, format_thousands, join_parts
from skywalking_provider.block import IndicatorName
from skywalking_provider.judgement import MAX_ESTIMATE_MINUTES
from skywalking_provider.queries.series import format_number
from skywalking_provider.support.counts import format_count

_FAILURES = {IndicatorName.SUCCESS_RATE: "failures", IndicatorName.APDEX: "dissatisfied calls"}
_FAILED = {IndicatorName.SUCCESS_RATE: "failed", IndicatorName.APDEX: "dissatisfied"}


def describe_worse(judgement: Judgement, origin: Origin) -> str:
    """Return why the canary is found worse: both sides, the limit, the evidence and the worst minute."""
    return join_parts(
        f"{describe_values(judgement)}, {_describe_limit(judgement)}",
        _describe_evidence(judgement),
        _describe_worst_minute(judgement, origin),
        *_describe_origin(judgement, origin),
    )


def describe_undecided(judgement: Judgement, origin: Origin) -> str:
    """Return why nothing is found yet, and how long it will take at this traffic."""
    if judgement.suspicious:
        return join_parts(
            f"looks worse, but is not certain yet: {describe_values(judgement)}, {_describe_limit(judgement)}",
            _describe_evidence(judgement),
            *_describe_origin(judgement, origin),
        )
    if judgement.incident:
        return join_parts(
            f"stable itself fails too often to promote now: {describe_values(judgement)}",
            *_describe_origin(judgement, origin),
        )
    if judgement.between_limits:
        return join_parts(
            f"between tolerated and harmful: {describe_values(judgement)}, {_describe_limit(judgement)},"
            f" harmful {format_value(judgement, judgement.harmful)}",
            *_describe_origin(judgement, origin),
        )
    return join_parts(
        f"too few calls: {_describe_failures(judgement)}",
        _describe_estimate(judgement),
        *_describe_origin(judgement, origin),
    )


def describe_values(judgement: Judgement) -> str:
    """Return the values of both sides with their calls."""
    minutes = format_count(len(judgement.steps), "minute")
    canary = f"{judgement.sides.label} {_describe_side(judgement, judgement.canary)}"
    if judgement.stable is None:
        return f"{canary} in {minutes}"
    return f"{canary}, stable {_describe_side(judgement, judgement.stable)} in the same {minutes}"


def _describe_estimate(judgement: Judgement) -> str:
    minutes = judgement.minutes_to_fine
    if minutes is None or minutes > MAX_ESTIMATE_MINUTES:
        return ""
    return f"about {format_count(minutes, 'more minute')} at this traffic"


def _describe_side(judgement: Judgement, side: PooledSide) -> str:
    return f"{format_value(judgement, side.value)} of {format_calls(side.calls)}"


def _describe_failures(judgement: Judgement) -> str:
    """Return the numbers of failed calls, which say more of thin traffic than rates."""
    if judgement.spec.judges_latency:
        return describe_values(judgement)
    minutes, failed = format_count(len(judgement.steps), "minute"), _FAILED[judgement.spec.sli]
    canary = f"canary {_format_failures(judgement.canary)} {failed}"
    stable = f", stable {_format_failures(judgement.stable)}" if judgement.stable else ""
    return f"{canary}{stable} in {minutes}"


def _format_failures(side: PooledSide) -> str:
    return f"{_format_count(side.failures)} of {format_thousands(side.calls)}"


def _describe_limit(judgement: Judgement) -> str:
    bound, value = judgement.spec.tolerated, format_value(judgement, judgement.tolerated)
    if bound is None:
        return f"wanted {value}"
    if judgement.spec.judges_latency:
        return f"tolerated {value} ({format_number(bound.ratio)} × stable + {format_number(bound.difference)} ms)"
    what = f"{format_number(bound.ratio)} × stable's {_FAILURES[judgement.spec.sli]}"
    return f"tolerated {value} ({what} + {format_number(100 * bound.difference)} %)"


def _describe_evidence(judgement: Judgement) -> str:
    evidence, wanted = judgement.evidence.worse, judgement.confidence.worse_evidence
    return f"evidence {format_evidence(evidence)}, needed {format_evidence(wanted)}"


def format_evidence(evidence: float) -> str:
    """Return evidence for people: three digits, and thousands apart."""
    if evidence >= 1e9:
        return "above 10^9"
    rounded = float(f"{evidence:.3g}")
    return format_thousands(round(rounded)) if rounded >= 100 else f"{rounded:.3g}"


def format_value(judgement: Judgement, value: float) -> str:
    """Return a value of the indicator, with the unit of a latency."""
    return f"{value:.4g} ms" if judgement.spec.judges_latency else f"{value:.4g}"


def _describe_worst_minute(judgement: Judgement, origin: Origin) -> str:
    minute = judgement.sides.canary.minutes[judgement.worst_minute]
    start = origin.window.bucket_start(judgement.worst_minute)
    if judgement.spec.judges_latency:
        return f"worst minute {start:%H:%M}: {format_value(judgement, minute.high)} of {format_calls(minute.calls)}"
    failed = _FAILED[judgement.spec.sli]
    return f"worst minute {start:%H:%M}: {_format_count(minute.high)} of {format_thousands(minute.calls)} {failed}"


def _describe_origin(judgement: Judgement, origin: Origin) -> tuple[str, ...]:
    sides = judgement.sides
    stable = f"stable {sides.stable.subject}" if sides.stable and sides.stable.subject else ""
    return ", ".join(side for side in (sides.canary.subject, stable) if side), *origin.describe()


def _format_count(number: float) -> str:
    return format_thousands(round(number)) if float(number).is_integer() else f"{number:.1f}"
