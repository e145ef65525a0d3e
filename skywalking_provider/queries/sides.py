"""Minutes of the canary and of stable, as a judged block collects them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skywalking_provider.block.judged import JudgedSpec


@dataclass(frozen=True, slots=True)
class SideMinute:
    """One minute of one side, over all its instances.

    Attributes:
        calls: Number of calls; at least one.
        low: Lowest possible value: of the number of failed calls, or of the latency in milliseconds.
        high: Highest possible value.
    """

    calls: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a judgement.

    Attributes:
        minutes: Minutes with calls and a value, by their position in the window.
        subject: Selected instances for messages; empty for a single entity.
    """

    minutes: Mapping[int, SideMinute]
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a judgement.

    Attributes:
        spec: Spec of the block, with the limits.
        label: Name of the indicator for messages and charts.
        canary: The canary.
        stable: Stable; None with an objective.
    """

    spec: JudgedSpec
    label: str
    canary: Side
    stable: Side | None = field(default=None)

    @property
    def counted(self) -> tuple[int, ...]:
        """Positions of the minutes that count, in order: those in which all sides have calls and a value."""
        minutes = self.canary.minutes.keys()
        return tuple(sorted(minutes if self.stable is None else minutes & self.stable.minutes.keys()))
