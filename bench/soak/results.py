"""Counts of a soak test: started and finished measurements, calls, and violated guarantees."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

_MAX_EXAMPLES = 20


@dataclass(slots=True)
class SoakResults:
    """The counts of a soak test.

    Attributes:
        start_counts: Started measurements by metric kind.
        end_counts: Finished measurements by metric kind and phase.
        call_counts: Calls by operation.
        longest_seconds: Longest call by operation, in seconds.
        lost_with_bridge: Number of measurements that ended with Error because the bridge was killed.
        violation_count: Number of violated guarantees.
        examples: The first violations, each with its time.
    """

    start_counts: Counter[str] = field(default_factory=Counter)
    end_counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    call_counts: Counter[str] = field(default_factory=Counter)
    longest_seconds: dict[str, float] = field(default_factory=dict)
    lost_with_bridge: int = 0
    violation_count: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        """Return the number of measurements that have started and not finished."""
        return self.start_counts.total() - self.end_counts.total()

    def record_violation(self, violation: str) -> None:
        """Count a violated guarantee and keep the first ones as examples."""
        self.violation_count += 1
        if len(self.examples) < _MAX_EXAMPLES:
            self.examples.append(f"{datetime.now(UTC):%H:%M:%S} {violation}")
