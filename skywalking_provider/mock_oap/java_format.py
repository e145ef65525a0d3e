"""What OAP says in Java's words: failures of a read, and numbers as text."""

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final


class JavaError(Exception):
    """A failed read, as OAP reports it: message, and the class of the cause (named by newer versions)."""

    def __init__(self, message: str, java_class: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.java_class = java_class


ILLEGAL_ARGUMENT: Final = "java.lang.IllegalArgumentException"
UNEXPECTED: Final = "org.apache.skywalking.oap.server.core.UnexpectedException"


_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_EVEN)  # a double has up to 309 digits before the point


def decimal_format(value: float, *, comma: bool = False) -> str:
    """A number by DecimalFormat's default pattern without grouping: at most three decimals, half to even.

    `comma` is what a JVM with a German or French locale writes.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    rounded = Decimal(value).quantize(Decimal("0.001"), context=_WIDE)
    text = f"{rounded:f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if comma else text


def java_round(value: float) -> int:
    """Math.round: half up, also below zero."""
    return math.floor(value + 0.5)
