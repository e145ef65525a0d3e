"""Warning of `check` about a judged block whose finding takes longer than the measurement waits. No I/O."""

from datetime import timedelta

from skywalking_provider.analysis.clean_traffic import count_minutes_to_fine, find_wider_harmful
from skywalking_provider.analysis.judging import Judgement
from skywalking_provider.block.judged import MAX_MINUTES, JudgedSpec
from skywalking_provider.judgement import Finding
from skywalking_provider.queries.series import format_number
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.durations import format_duration

_MINUTE = timedelta(minutes=1)


def describe_thin_traffic(judgement: Judgement, buckets: int) -> str:
    """Return the warning; empty if a canary in order is found fine in time, or if this one is found worse.

    Args:
        judgement: Judgement of the minutes that were read.
        buckets: Length of their window in minutes.
    """
    spec = judgement.spec
    if judgement.finding is Finding.WORSE:
        return ""
    needed = count_minutes_to_fine(judgement.sides, buckets)
    if needed is not None and needed * _MINUTE <= spec.max_wait:
        return ""
    takes = f"about {format_count(needed, 'minute')}" if needed else f"more than {MAX_MINUTES // 60} hours"
    calls = sum(one.calls for one in judgement.sides.canary.minutes.values())
    wider = find_wider_harmful(judgement.sides, buckets, spec.max_wait // _MINUTE)
    advice = f", or write {format_harmful(wider)}" if wider else ""
    return (
        f"at {_format_rate(calls / buckets)} a minute a finding takes {takes}; maxWait is"
        f" {format_duration(spec.max_wait)}. Give the step more time (maxWait) or more weight{advice}"
    )


def _format_rate(calls: float) -> str:
    number = f"{calls:.3g}" if calls < 100 else str(round(calls))
    return f"{number} call{'' if number == '1' else 's'}"


def format_harmful(spec: JudgedSpec) -> str:
    """Return what to write into a block for its limit of a harmful canary."""
    bound = spec.harmful_limit
    if bound is None:
        return f"harmful: {format_number(spec.harmful_objective or 0.0)}"
    return f"harmful: {{ratio: {bound.ratio:g}, difference: {bound.difference:g}}} below compare"
