"""What came of a soak: who began, how each ended, what was called, and which promises were broken."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

_MAX_EXAMPLES = 20


@dataclass(slots=True)
class SoakResults:
    """The counts of a soak."""

    start_counts: Counter[str] = field(default_factory=Counter)
    end_counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    call_counts: Counter[str] = field(default_factory=Counter)
    longest_seconds: dict[str, float] = field(default_factory=dict)
    lost_with_bridge: int = 0
    violation_count: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        """Begun and not ended."""
        return self.start_counts.total() - self.end_counts.total()

    def record_violation(self, violation: str) -> None:
        """Note a broken promise."""
        self.violation_count += 1
        if len(self.examples) < _MAX_EXAMPLES:
            self.examples.append(f"{datetime.now(UTC):%H:%M:%S} {violation}")
