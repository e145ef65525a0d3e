"""Limit of the canary relative to stable."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """Highest value of the canary: `difference + ratio * stable`.

    Attributes:
        difference: In the unit of the value: a failure rate from 0 to 1, or milliseconds.
        ratio: Factor of stable's value.
    """

    difference: float
    ratio: float

    def at(self, stable: float) -> float:
        """Return the limit beside a value of stable."""
        return self.difference + self.ratio * stable
