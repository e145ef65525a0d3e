"""What came of a soak: who began, how each ended, what was called, and which promises were broken."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

_KEPT = 20


@dataclass(slots=True)
class Ledger:
    """The counts of a soak."""

    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)
    lost_with_the_bridge: int = 0
    broken: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        """Begun and not ended."""
        return self.begun.total() - self.ended.total()

    def breaks(self, promise: str) -> None:
        """Note a broken promise."""
        self.broken += 1
        if len(self.examples) < _KEPT:
            self.examples.append(f"{datetime.now(UTC):%H:%M:%S} {promise}")
