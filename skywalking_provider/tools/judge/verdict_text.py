"""Verdict in plain words: both sides, the limits, and what is needed for another verdict."""

from collections.abc import Iterator, Mapping, Sequence

from skywalking_provider.judgement import MAX_ESTIMATE_MINUTES, Finding
from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.judge.case import Case, SideCounts
from skywalking_provider.tools.judge.judging import Judgement
from skywalking_provider.tools.judge.options import JudgeSli

_MAX_SHOWN_EVIDENCE = 1e9

FINDING_TEXTS: Mapping[Finding, str] = {
    Finding.WORSE: "worse: the canary is worse than tolerated",
    Finding.FINE: "fine: the canary is better than harmful",
    Finding.OPEN: "open: not decided yet",
}


def describe_standard(case: Case, sli: JudgeSli) -> Iterator[str]:
    """Yield what the canary is judged against."""
    if not case.kind.has_stable:
        sign = "<=" if case.kind.is_latency else ">="
        yield f"wanted      {sli} {sign} {_format_value(case, case.tolerated.difference)}"
        yield f"harmful     {sli} {_format_value(case, case.harmful.difference)}"
    else:
        unit = " ms" if case.kind.is_latency else " %"
        scale = 1 if case.kind.is_latency else 100
        what = "stable" if case.kind.is_latency else f"stable's rate of {_failed(sli)} calls"
        for name, limit in (("tolerated", case.tolerated), ("harmful", case.harmful)):
            yield f"{name:<11} {limit.ratio:g} × {what} + {scale * limit.difference:.6g}{unit}"
    yield (
        f"needed      evidence of {format_evidence(case.confidence.worse_evidence)} for worse,"
        f" {format_evidence(case.confidence.fine_evidence)} for fine"
    )


def describe_verdict(judgement: Judgement, sli: JudgeSli, labels: Sequence[str]) -> Iterator[str]:
    """Yield the sentences about the finding.

    Args:
        judgement: Judgement of the minutes.
        sli: Indicator.
        labels: Names of the minutes.
    """
    if not judgement.counted:
        both = "both sides have calls and a value" if judgement.case.kind.has_stable else "the canary has calls"
        yield f"No minute counts: a minute counts if {both}. Add minutes."
        return
    yield from _describe_sides(judgement, sli)
    confidence = judgement.case.confidence
    match judgement.finding:
        case Finding.WORSE:
            yield (
                "A canary that is no worse than tolerated would be found worse in at most 1 of"
                f" {format_evidence(confidence.worse_evidence)} runs."
            )
        case Finding.FINE:
            yield (
                "A canary that is harmful would be found fine in at most 1 of"
                f" {format_evidence(confidence.fine_evidence)} runs."
            )
        case Finding.OPEN:
            yield _describe_open(judgement, sli)
    yield from _describe_first_worse(judgement, labels)


def _describe_sides(judgement: Judgement, sli: JudgeSli) -> Iterator[str]:
    case, minutes = judgement.case, format_count(judgement.counted, "minute")
    canary = _describe_side(case, judgement.canary, sli)
    if not case.kind.has_stable:
        limit = case.tolerated.difference
        tolerated, harmful = _format_rate(case, limit), _format_rate(case, case.harmful.difference)
        yield f"Canary: {canary} in {minutes}. Tolerated {tolerated}, harmful {harmful}."
        return
    stable = judgement.stable
    level = stable.high if case.kind.is_latency else stable.high / stable.calls
    tolerated, harmful = (
        _format_rate(case, limit.at(level) if case.kind.is_latency else min(1.0, limit.at(level)))
        for limit in (case.tolerated, case.harmful)
    )
    yield f"Canary: {canary}. Stable: {_describe_side(case, stable, sli)} in the same {minutes}."
    yield f"Tolerated beside this stable {tolerated}, harmful {harmful}."


def _describe_open(judgement: Judgement, sli: JudgeSli) -> str:
    needed = judgement.case.confidence
    if judgement.suspicious:
        evidence = format_evidence(judgement.evidence.worse)
        return (
            f"The canary looks worse, but this is not certain yet: evidence {evidence},"
            f" needed {format_evidence(needed.worse_evidence)}. Add minutes."
        )
    if judgement.incident:
        return (
            f"In the last minute, stable has so many {_failed(sli)} calls that nothing should be promoted."
            " Wait for the end of the incident."
        )
    minutes = judgement.minutes_to_fine
    if minutes is None:
        return (
            "The canary is neither found worse than tolerated nor better than harmful, and these minutes do not"
            " approach either. Add minutes, or change the limits."
        )
    long = minutes > MAX_ESTIMATE_MINUTES
    estimate = "more than a day" if long else f"about {format_count(minutes, 'more minute')}"
    return (
        f"Too few calls: evidence for fine {format_evidence(judgement.evidence.fine)},"
        f" needed {format_evidence(needed.fine_evidence)}. Wait {estimate} at this traffic."
    )


def _describe_first_worse(judgement: Judgement, labels: Sequence[str]) -> Iterator[str]:
    """Yield the minute at which a rollout would have failed, which may be an earlier one."""
    for label, look in zip(labels, judgement.looks, strict=True):
        if look.finding is Finding.WORSE:
            yield f"A rollout would fail after minute {label}, at the first look that finds the canary worse."
            return


def _describe_side(case: Case, side: SideCounts, sli: JudgeSli) -> str:
    if case.kind.is_latency:
        return f"{side.high:.4g} ms of {format_count_of_calls(side.calls)}"
    rate = _format_rate(case, side.high / side.calls)
    return f"{_format_range(side)} of {format_count_of_calls(side.calls)} {_failed(sli)} ({rate})"


def format_side(case: Case, side: SideCounts | None) -> str:
    """Return one side of a minute for a table."""
    if side is None:
        return "–"
    if case.kind.is_latency:
        return f"{side.high:.4g} ms of {side.calls:,}" if side.calls else "0 calls"
    return f"{_format_range(side)} of {side.calls:,}" if side.calls else "0 calls"


def format_evidence(evidence: float) -> str:
    """Return evidence for people: three digits, with thousands separated."""
    if evidence > _MAX_SHOWN_EVIDENCE:
        return "> 10^9"
    if evidence < 0.001:
        return "< 0.001" if evidence else "0"
    rounded = float(f"{evidence:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:.3g}"


def format_count_of_calls(calls: int) -> str:
    """Return a number of calls, with thousands separated."""
    return f"{calls:,} {'call' if calls == 1 else 'calls'}"


def _format_range(side: SideCounts) -> str:
    low, high = _format_failures(side.low), _format_failures(side.high)
    return low if low == high else f"{low}–{high}"


def _format_failures(failures: float) -> str:
    return f"{failures:,.0f}" if failures.is_integer() else f"{failures:,.1f}"


def _format_rate(case: Case, value: float) -> str:
    return f"{value:.4g} ms" if case.kind.is_latency else f"{100 * value:.3g} %"


def _format_value(case: Case, limit: float) -> str:
    """Return a limit in the unit of the indicator."""
    return f"{limit:.6g} ms" if case.kind.is_latency else f"{1 - limit:.6g}"


def _failed(sli: JudgeSli) -> str:
    return "dissatisfied" if sli is JudgeSli.APDEX else "failed"
