"""Duration of a judgement at the traffic that was read: the judge sees minutes without failed calls. Pure."""

from collections.abc import Iterator
from typing import Final

from skywalking_provider.analysis.judging import judge_sides
from skywalking_provider.block.compare import MAX_DIFFERENCE, Margin
from skywalking_provider.block.judged import MAX_MINUTES, MIN_RATE, JudgedSpec
from skywalking_provider.queries.sides import Side, SideMinute, Sides

_HARMFUL_DIFFERENCES: Final = (0.02, 0.03, 0.05, 0.1, 0.2)
"""Failure rates that are suggested as harmful: round numbers, the strictest first."""
_MOST_RUNS: Final = 60
"""Minutes that are judged first, because most findings take less."""
_SHARE_OF_WAIT: Final = 2 / 3
"""Share of the wait that a suggestion needs without a failed call. The rest is for a failed call."""


def count_minutes_to_fine(sides: Sides, buckets: int) -> int | None:
    """Return the number of minutes until a canary in order is found fine; None for more than MAX_MINUTES.

    The calls of the minutes repeat. No call fails, and latencies are no worse than stable's or the objective.

    Args:
        sides: Minutes of both sides. At least one minute counts.
        buckets: Length of their window in minutes.
    """
    return next(filter(None, (_count_minutes(sides, buckets, length) for length in (_MOST_RUNS, MAX_MINUTES))), None)


def find_wider_harmful(sides: Sides, buckets: int, minutes: int) -> JudgedSpec | None:
    """Return the block with the strictest `harmful` that decides within a number of minutes, and is wider than now.

    Args:
        sides: Minutes of both sides. At least one minute counts.
        buckets: Length of their window in minutes.
        minutes: Number of minutes for which the measurement waits.

    Returns:
        The changed block; None without one. Latency has none: its traffic decides less than its scatter.
    """
    for spec in _widen(sides.spec):
        changed = Sides(spec, sides.label, sides.canary, sides.stable)
        if _count_minutes(changed, buckets, min(MAX_MINUTES, int(minutes * _SHARE_OF_WAIT))):
            return spec
    return None


def _count_minutes(sides: Sides, buckets: int, length: int) -> int | None:
    """Return the number of minutes until a canary in order is found fine; None if it is more than a length."""
    clean = _clean(sides, buckets, length)
    if not clean.counted:
        return None
    judgement = judge_sides(clean)
    needed = judgement.confidence.fine_evidence
    return next((one.minute + 1 for one in judgement.steps if one.evidence.fine >= needed), None)


def _widen(spec: JudgedSpec) -> Iterator[JudgedSpec]:
    bound = spec.harmful_limit
    if spec.judges_latency:
        return
    for difference in _HARMFUL_DIFFERENCES:
        if spec.compare is None or bound is None:
            harmful = round(1 - difference, 6)
            if MIN_RATE <= harmful < (spec.harmful_objective or 0.0):
                yield spec.model_copy(update={"harmful": harmful})
        elif bound.difference < difference <= MAX_DIFFERENCE:
            margin = Margin(ratio=bound.ratio, difference=difference)
            yield spec.model_copy(update={"compare": spec.compare.model_copy(update={"harmful": margin})})


def _clean(sides: Sides, buckets: int, length: int) -> Sides:
    """Return as many minutes as the length, with the calls of the minutes that were read, without failures."""
    canary, stable = dict[int, SideMinute](), dict[int, SideMinute]()
    for minute in range(length):
        at = minute % buckets
        one, other = sides.canary.minutes.get(at), None if sides.stable is None else sides.stable.minutes.get(at)
        if one:
            value = _clean_value(sides.spec, one, other)
            canary[minute] = SideMinute(one.calls, value, value)
        if other:
            value = other.high if sides.spec.judges_latency else 0.0
            stable[minute] = SideMinute(other.calls, value, value)
    return Sides(sides.spec, sides.label, Side(canary), Side(stable) if sides.stable else None)


def _clean_value(spec: JudgedSpec, canary: SideMinute, stable: SideMinute | None) -> float:
    if not spec.judges_latency:
        return 0.0
    if stable is not None:
        return stable.high
    return min(canary.high, spec.objective or canary.high)
