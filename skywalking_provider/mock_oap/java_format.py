"""Numbers as Java formats and rounds them."""

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_EVEN)  # a double has up to 309 digits before the point


def decimal_format(value: float, *, comma: bool = False) -> str:
    """Format a number as `DecimalFormat` does by default: at most three decimals, half to even, no grouping.

    Args:
        value: Number to format.
        comma: Whether the JVM has a locale with a decimal comma, such as German or French.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    rounded = Decimal(value).quantize(Decimal("0.001"), context=_WIDE)
    text = f"{rounded:f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if comma else text


def java_round(value: float) -> int:
    """Round half up as `Math.round` does, also below zero."""
    return math.floor(value + 0.5)
