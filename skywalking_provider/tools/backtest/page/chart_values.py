"""Numbers that the pictures show: minutes of a run with their limits, measurements, and aborts by hour. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from math import nan
from typing import Final

from skywalking_provider.analysis.judging import limit_beside
from skywalking_provider.block import JudgedSpec
from skywalking_provider.block.compare import Bound
from skywalking_provider.queries.sides import SideMinute
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.outcome import RunOutcome
from skywalking_provider.tools.backtest.study import RunMinutes

Point = tuple[datetime, float]
_MAX_POINTS: Final = 1200
"""Points of a line. A picture has no more pixels."""
_GAP: Final = 3 * MINUTE
"""Time without a value that is drawn as a gap."""


@dataclass(frozen=True, slots=True)
class JudgedLines:
    """Lines of a judged run by minute.

    Attributes:
        canary: Values of the canary.
        stable: Values of stable; empty with an objective.
        tolerated: Values of the canary that are just tolerated.
        harmful: Values of the canary that are just harmful.
    """

    canary: tuple[Point, ...]
    stable: tuple[Point, ...]
    tolerated: tuple[Point, ...]
    harmful: tuple[Point, ...]


def build_judged_lines(run: RunMinutes) -> JudgedLines:
    """Return the lines of a run."""
    spec, sides, window = run.sides.spec, run.sides, run.window
    canary = [(window.bucket_start(at), _value(spec, one)) for at, one in sorted(sides.canary.minutes.items())]
    if sides.stable is None:
        span = [window.bucket_start(0), window.end]
        return JudgedLines(
            tuple(canary),
            (),
            tuple((at, spec.objective or 0.0) for at in span),
            tuple((at, spec.harmful_objective or 0.0) for at in span),
        )
    stable = [(window.bucket_start(at), _value(spec, one)) for at, one in sorted(sides.stable.minutes.items())]
    return JudgedLines(
        tuple(canary),
        tuple(stable),
        tuple((at, _limit(spec, spec.tolerated, value)) for at, value in stable),
        tuple((at, _limit(spec, spec.harmful_limit, value)) for at, value in stable),
    )


def split_points(points: Iterable[Point]) -> tuple[list[datetime], list[float]]:
    """Return times and values of a line in order, with a gap where values are absent.

    Of more values than a picture can show, the lowest and the highest of equal parts are kept.
    """
    ordered = _thin(sorted(points))
    times, values = [], []
    step = max(_GAP, 3 * _median_step(ordered))
    for at, (time, value) in enumerate(ordered):
        if at and time - ordered[at - 1][0] > step:
            times.append(ordered[at - 1][0] + MINUTE)
            values.append(nan)
        times.append(time)
        values.append(value)
    return times, values


@dataclass(frozen=True, slots=True)
class HourCell:
    """Runs that began in one hour of one day.

    Attributes:
        aborts: Number of runs that abort.
        runs: Number of runs with data.
        without_data: Number of other runs.
    """

    aborts: int = 0
    runs: int = 0
    without_data: int = 0


def count_by_hour(runs: Sequence[RunOutcome], zone: tzinfo | None) -> dict[date, dict[int, HourCell]]:
    """Return the runs by day and hour of their starts, for each day from the first to the last one."""
    starts = [run.start.astimezone(zone) for run in runs]
    first, last = min(starts).date(), max(starts).date()
    days = {first + timedelta(days=at): dict[int, HourCell]() for at in range((last - first).days + 1)}
    for run, start in zip(runs, starts, strict=True):
        hours = days[start.date()]
        cell = hours.get(start.hour, HourCell())
        hours[start.hour] = HourCell(
            cell.aborts + (run.has_data and run.aborts),
            cell.runs + run.has_data,
            cell.without_data + (not run.has_data),
        )
    return days


def place_in_lanes(runs: Sequence[RunOutcome], lanes: int) -> list[tuple[int, int]]:
    """Return the position of each run and its lane, so that runs of one lane do not overlap.

    Runs without a free lane are left out.
    """
    ends: list[datetime | None] = [None] * lanes
    placed = []
    for at in sorted(range(len(runs)), key=lambda one: runs[one].start):
        start = runs[at].start
        free = next((lane for lane, end in enumerate(ends) if end is None or end <= start), None)
        if free is not None:
            ends[free] = runs[at].end
            placed.append((at, free))
    return placed


def _value(spec: JudgedSpec, minute: SideMinute) -> float:
    return minute.high if spec.judges_latency else 1 - minute.high / minute.calls


def _limit(spec: JudgedSpec, bound: Bound | None, stable: float) -> float:
    assert bound is not None  # noqa: S101 # with compare
    return max(0.0, limit_beside(spec, bound, stable))


def _thin(points: Sequence[Point]) -> Sequence[Point]:
    if len(points) <= _MAX_POINTS:
        return points
    size = -(-2 * len(points) // _MAX_POINTS)
    kept = []
    for first in range(0, len(points), size):
        part = points[first : first + size]
        ends = {min(part, key=lambda one: one[1]), max(part, key=lambda one: one[1])}
        kept += sorted(ends)
    return kept


def _median_step(points: Sequence[Point]) -> timedelta:
    steps = sorted(later[0] - earlier[0] for earlier, later in pairwise(points))
    return steps[len(steps) // 2] if steps else MINUTE
