"""Threshold of a plain condition, such as `result >= 0.99`. No I/O."""

import operator
import re
from dataclasses import dataclass, replace
from typing import Final

_OPERATORS: Final = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_SYMBOLS: Final = {">=": "≥", "<=": "≤", ">": ">", "<": "<"}
_PATTERN: Final = re.compile(
    r"(?:all\(.*\{\s*)?(?:result|asFloat\((?:result|\.value)\)|\.value)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)(?:\s*\}\))?"
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Comparison of a value with a number.

    Attributes:
        operator: Operator as it is written.
        value: The number.
    """

    operator: str
    value: float

    @property
    def symbol(self) -> str:
        """Operator as a sign for people."""
        return _SYMBOLS[self.operator]

    def is_met_by(self, number: float) -> bool:
        """Return whether a value meets the comparison."""
        return bool(_OPERATORS[self.operator](number, self.value))

    def at(self, value: float) -> "Threshold":
        """Return the same comparison with another number."""
        return replace(self, value=value)


def parse_threshold(condition: str) -> Threshold | None:
    """Return the threshold of a plain comparison: `result >= 0.99` or `all(…, {asFloat(.value) >= 9900})`."""
    match = _PATTERN.fullmatch(" ".join(condition.split()))
    return Threshold(match[1], float(match[2])) if match else None
