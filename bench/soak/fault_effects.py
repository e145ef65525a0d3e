"""Effects of injected faults: observations per fault window, compared with the expected effect. No I/O."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AFTER_EFFECT_SECONDS = 3.0
"""Observations up to this long after a fault belong to it: responses in flight, an open circuit breaker."""

QUIET_PERIOD = "quiet period"


@dataclass(frozen=True, slots=True)
class ReturnedRunning:
    """Expected effect: at least one measurement returns Running with this reason code."""

    reason: str


@dataclass(frozen=True, slots=True)
class SlowedDown:
    """Expected effect: the p90 of the responses reaches this many seconds and the p90 of the quiet periods."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ProcessReplaced:
    """Expected effect: a measurement is lost with this process, or a new process replaces it."""

    process: str


@dataclass(frozen=True, slots=True)
class Disturbed:
    """Expected effect: at least this many disturbances of one of these names.

    The well-behaved namespaces must not notice such a fault, so its effect is what the disturber sees.
    """

    names: frozenset[str]
    at_least: int = 1


Effect = ReturnedRunning | SlowedDown | ProcessReplaced | Disturbed
"""An expected effect of a fault."""


@dataclass(slots=True)
class Interval:
    """Observations of one fault window, or of all quiet periods.

    Attributes:
        name: Name of the fault.
        starts_at: Start, in seconds of the soak test.
        ends_at: End of the attribution: later observations belong to a quiet period.
        wait_counts: Number of Running responses by reason code.
        durations: Duration of each Run and Resume, in seconds.
        lost_count: Number of measurements that ended with a killed process.
        replaced_counts: Number of replacements by process name.
        disturbance_counts: Number of disturbances by name, such as outcomes of a greedy namespace.
    """

    name: str
    starts_at: float = 0.0
    ends_at: float = math.inf
    wait_counts: Counter[str] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)
    lost_count: int = 0
    replaced_counts: Counter[str] = field(default_factory=Counter)
    disturbance_counts: Counter[str] = field(default_factory=Counter)

    @property
    def p90_seconds(self) -> float:
        """Return the 90th percentile of the durations; 0 without a response."""
        return (
            statistics.quantiles(self.durations, n=10, method="inclusive")[-1]
            if len(self.durations) > 1
            else sum(self.durations)
        )


def p99_seconds(durations: Sequence[float]) -> float:
    """Return the 99th percentile of durations; 0 without any."""
    return statistics.quantiles(durations, n=100, method="inclusive")[-1] if len(durations) > 1 else sum(durations)


class Observations:
    """Observations of a soak test, attributed to fault windows and quiet periods as they arrive.

    Args:
        clock: Seconds since the start of the soak test.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pids: dict[str, int] = {}
        self.quiet = Interval(QUIET_PERIOD)
        self.fault_windows: list[Interval] = []

    @property
    def current(self) -> Interval:
        """Return the interval that an observation made now belongs to."""
        in_fault_window = self.fault_windows and self._clock() < self.fault_windows[-1].ends_at
        return self.fault_windows[-1] if in_fault_window else self.quiet

    def begin_fault(self, name: str) -> None:
        """Start a fault window. It ends the after-effect of the previous one."""
        self.fault_windows.append(Interval(name, self._clock()))

    def end_fault(self) -> None:
        """End the fault; its after-effect follows."""
        self.fault_windows[-1].ends_at = self._clock() + AFTER_EFFECT_SECONDS

    def record_response(self, duration: float, wait_reason: str | None, *, lost: bool) -> None:
        """Record a response to Run or Resume.

        Args:
            duration: Duration of the call, in seconds.
            wait_reason: Reason code of a Running measurement, else None.
            lost: Whether the measurement ended with a killed process.
        """
        interval = self.current
        interval.durations.append(duration)
        interval.lost_count += lost
        if wait_reason is not None:
            interval.wait_counts[wait_reason] += 1

    def record_disturbance(self, name: str) -> None:
        """Count a disturbance by its name."""
        self.current.disturbance_counts[name] += 1

    def record_process(self, name: str, pid: int) -> None:
        """Record the current process id of a part and count a change as a replacement."""
        if self._pids.get(name, pid) != pid:
            self.current.replaced_counts[name] += 1
        self._pids[name] = pid


def describe_missing_effect(effect: Effect, interval: Interval, quiet: Interval) -> str | None:
    """Return how the observations of a fault window miss the expected effect, or None if they show it."""
    match effect:
        case ReturnedRunning(reason):
            return (
                None
                if interval.wait_counts[reason]
                else f"none of {len(interval.durations)} responses is Running with {reason}"
            )
        case SlowedDown(seconds):
            expected, actual = max(seconds, quiet.p90_seconds), interval.p90_seconds
            return None if actual >= expected else f"p90 is {actual:.3f} s, expected at least {expected:.3f} s"
        case ProcessReplaced(process):
            replaced = interval.lost_count or interval.replaced_counts[process]
            return None if replaced else f"no measurement was lost and the {process} was not replaced"
        case Disturbed(names, at_least):
            count = sum(interval.disturbance_counts[name] for name in names)
            seen = ", ".join(f"{number} {name}" for name, number in interval.disturbance_counts.most_common(4))
            expected = f"expected at least {at_least} of {', '.join(sorted(names))}"
            return None if count >= at_least else f"{seen or 'no disturbance'}, {expected}"


def ineffective_faults(
    observations: Observations, expected_effects: Mapping[str, Effect]
) -> Iterator[tuple[Interval, str]]:
    """Yield the fault windows without their expected effect, each with a description.

    Args:
        observations: Observations of a finished soak test.
        expected_effects: Expected effect by fault name.
    """
    for window in observations.fault_windows:
        if missing := describe_missing_effect(expected_effects[window.name], window, observations.quiet):
            yield window, missing


def slow_windows(observations: Observations, limits: Mapping[str, float]) -> Iterator[tuple[Interval, str]]:
    """Yield the fault windows in which the 99th percentile of the well-behaved namespaces exceeds its limit.

    Args:
        observations: Observations of a finished soak test.
        limits: Limit in seconds by fault name, for the faults that other namespaces must not notice.
    """
    for window in observations.fault_windows:
        limit, p99 = limits.get(window.name), p99_seconds(window.durations)
        if limit is not None and p99 > limit:
            yield window, f"p99 of the other namespaces is {p99:.3f} s, limit {limit:.1f} s"


def summary_rows(observations: Observations, expected_effects: Mapping[str, Effect]) -> Iterator[dict[str, Any]]:
    """Yield one result row for the quiet periods and one for all windows of each fault."""
    without_effect = Counter(window.name for window, _ in ineffective_faults(observations, expected_effects))
    intervals = (observations.quiet, *observations.fault_windows)
    for name in dict.fromkeys(interval.name for interval in intervals):
        row = _summary_row(name, [interval for interval in intervals if interval.name == name])
        yield row | {"withoutEffect": without_effect[name]}


def _summary_row(name: str, intervals: Sequence[Interval]) -> dict[str, Any]:
    combined = Interval(name, durations=[duration for interval in intervals for duration in interval.durations])
    return {
        "name": name,
        "count": len(intervals),
        "responses": len(combined.durations),
        "waitReasons": dict(sum((interval.wait_counts for interval in intervals), Counter[str]()).most_common()),
        "lostMeasurements": sum(interval.lost_count for interval in intervals),
        "replacedProcesses": dict(sum((interval.replaced_counts for interval in intervals), Counter[str]())),
        "disturbances": dict(
            sum((interval.disturbance_counts for interval in intervals), Counter[str]()).most_common()
        ),
        "p90Seconds": round(combined.p90_seconds, 4),
        "p99Seconds": round(p99_seconds(combined.durations), 4),
    }
