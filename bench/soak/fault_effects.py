"""Whether a spell hurt anybody: what is seen of each while it lasts and just after. Pure: the clock is an argument."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AFTER_EFFECT_SECONDS = 3.0
"""A spell is still blamed for what is seen so long after its end: answers that were on their way, an open circuit."""


@dataclass(frozen=True, slots=True)
class ReturnedRunning:
    """Somebody was told to wait for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class SlowedDown:
    """A tenth of the answers took at least so many seconds, and longer than in calm."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ProcessReplaced:
    """A measurement was lost with this process, or another process stands in its place."""

    process: str


Effect = ReturnedRunning | SlowedDown | ProcessReplaced
"""What a spell must be seen to do."""


@dataclass(slots=True)
class Interval:
    """What was seen in one weather.

    Attributes:
        name: Of the spell.
        starts_at: Seconds of the soak.
        ends_at: It is blamed for what is seen before.
        wait_counts: Answers Running, by reason.
        durations: Seconds of each Run and Resume.
        lost_count: Measurements that ended with a process that was killed.
        replaced_counts: Processes in whose place another was seen.
    """

    name: str
    starts_at: float = 0.0
    ends_at: float = math.inf
    wait_counts: Counter[str] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)
    lost_count: int = 0
    replaced_counts: Counter[str] = field(default_factory=Counter)

    @property
    def p90_seconds(self) -> float:
        """Seconds that one answer in ten took at least; 0 where there were none."""
        return (
            statistics.quantiles(self.durations, n=10, method="inclusive")[-1]
            if len(self.durations) > 1
            else sum(self.durations)
        )


class Observations:
    """What was seen in each weather, as it comes.

    Args:
        clock: Seconds of the soak.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pids: dict[str, int] = {}
        self.quiet = Interval("calm")
        self.fault_windows: list[Interval] = []

    @property
    def current(self) -> Interval:
        """Which weather is blamed for what is seen now."""
        blamed = self.fault_windows and self._clock() < self.fault_windows[-1].ends_at
        return self.fault_windows[-1] if blamed else self.quiet

    def begin_fault(self, name: str) -> None:
        """A spell does."""
        self.fault_windows.append(Interval(name, self._clock()))

    def end_fault(self) -> None:
        """The spell did."""
        self.fault_windows[-1].ends_at = self._clock() + AFTER_EFFECT_SECONDS

    def record_response(self, duration: float, wait_reason: str | None, *, lost: bool) -> None:
        """Note one to Run or Resume.

        Args:
            duration: Seconds.
            wait_reason: The reason, if it is Running.
            lost: Whether the measurement ended with a process that was killed.
        """
        seen = self.current
        seen.durations.append(duration)
        seen.lost_count += lost
        if wait_reason is not None:
            seen.wait_counts[wait_reason] += 1

    def record_process(self, name: str, pid: int) -> None:
        """Note which stands in a place."""
        if self._pids.get(name, pid) != pid:
            self.current.replaced_counts[name] += 1
        self._pids[name] = pid


def describe_missing_effect(effect: Effect, interval: Interval, quiet: Interval) -> str | None:
    """How a sign is wanting in what was seen of a spell; None if it is there."""
    match effect:
        case ReturnedRunning(reason):
            return (
                None
                if interval.wait_counts[reason]
                else f"of {len(interval.durations)} answers none waits with {reason}"
            )
        case SlowedDown(seconds):
            wanted, took = max(seconds, quiet.p90_seconds), interval.p90_seconds
            return None if took >= wanted else f"its slowest tenth took {took:.3f} s, not {wanted:.3f} s"
        case ProcessReplaced(process):
            gone = interval.lost_count or interval.replaced_counts[process]
            return None if gone else f"no measurement was lost, and the {process} is the one of before"


def ineffective_faults(
    observations: Observations, expected_effects: Mapping[str, Effect]
) -> Iterator[tuple[Interval, str]]:
    """The spells that hurt nobody, each with what is wanting.

    Args:
        observations: Of a soak that ended.
        expected_effects: By spell.
    """
    for seen in observations.fault_windows:
        if missing := describe_missing_effect(expected_effects[seen.name], seen, observations.quiet):
            yield seen, missing


def summary_rows(observations: Observations, expected_effects: Mapping[str, Effect]) -> Iterator[dict[str, Any]]:
    """The calm, and each spell with all its times together."""
    unhurt = Counter(seen.name for seen, _ in ineffective_faults(observations, expected_effects))
    for name in (observations.quiet.name, *dict.fromkeys(seen.name for seen in observations.fault_windows)):
        all_of_it = [seen for seen in (observations.quiet, *observations.fault_windows) if seen.name == name]
        yield _summary_row(name, all_of_it) | {"harmless": unhurt[name]}


def _summary_row(name: str, intervals: Sequence[Interval]) -> dict[str, Any]:
    together = Interval(name, durations=[took for seen in intervals for took in seen.durations])
    return {
        "weather": name,
        "times": len(intervals),
        "answers": len(together.durations),
        "waits": dict(sum((seen.wait_counts for seen in intervals), Counter[str]()).most_common()),
        "lost": sum(seen.lost_count for seen in intervals),
        "replaced": dict(sum((seen.replaced_counts for seen in intervals), Counter[str]())),
        "slowestTenthSeconds": round(together.p90_seconds, 4),
    }
