"""Numbers and counts as people and programs write them, checked strictly."""

import re
from math import isfinite
from typing import Final

from skywalking_provider.support.validation_messages import describe_value
from skywalking_provider.tools.judge.case import SideCounts

MAX_CALLS: Final = 10**12
MAX_MILLISECONDS: Final = 1e12
"""Far above what SkyWalking keeps; sums and ratios of such numbers stay finite."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def parse_number(value: object) -> float:
    """Return a number that is written as a number or as text.

    Raises:
        ValueError: It is something else, or not finite.
    """
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError(f"is {describe_value(value)}. Write a number such as 12 or 0.5")
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError(f"is {describe_value(value)}. Write a number such as 12 or 0.5")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise ValueError("is not a finite number. Write a number such as 12 or 0.5")
    return number


def parse_calls(value: object, name: str) -> int:
    """Return a number of calls.

    Raises:
        ValueError: It is not a whole number within the limits.
    """
    calls = check_range(_parse_named(value, name), name, MAX_CALLS)
    if not calls.is_integer():
        raise ValueError(f"{name} is {calls:g}. Write a whole number of calls")
    return int(calls)


def build_counts(calls: object, low: object, high: object, *, prefix: str = "", whole: bool = False) -> SideCounts:
    """Return the calls of one side with the bounds of its failures.

    Args:
        calls: Number of calls.
        low: Lowest possible number of failures.
        high: Highest possible number of failures.
        prefix: Beginning of the names in messages, such as "stable_".
        whole: Whether failures are whole numbers.

    Raises:
        ValueError: The numbers are invalid or contradict each other.
    """
    number = parse_calls(calls, f"{prefix}calls")
    lowest, highest = (
        check_range(_parse_named(value, f"{prefix}{name}"), f"{prefix}{name}", MAX_CALLS)
        for name, value in (("failures", low), ("failures_high", high))
    )
    for name, failures in ((f"{prefix}failures", lowest), (f"{prefix}failures_high", highest)):
        if whole and not failures.is_integer():
            raise ValueError(f"{name} is {failures:g}. Write a whole number, or set --sli apdex for parts of a call")
    if lowest > highest:
        raise ValueError(
            f"{prefix}failures is {lowest:g}, more than {prefix}failures_high, which is {highest:g}."
            " Write the lower bound first"
        )
    if highest > number:
        name = f"{prefix}failures" if lowest > number else f"{prefix}failures_high"
        raise ValueError(f"{name} is {max(lowest, highest):g} of {number} calls. Write at most the number of calls")
    return SideCounts(number, lowest, highest)


def build_latency(calls: object, milliseconds: object, *, prefix: str = "") -> SideCounts:
    """Return the calls of one side with their latency.

    Raises:
        ValueError: The numbers are invalid.
    """
    name = f"{prefix}ms"
    number = parse_calls(calls, f"{prefix}calls")
    latency = check_range(_parse_named(milliseconds, name), name, MAX_MILLISECONDS)
    return SideCounts(number, latency, latency)


def check_range(value: float, name: str, at_most: float) -> float:
    """Return a number that is not negative.

    Raises:
        ValueError: It is negative or too large.
    """
    if value < 0:
        raise ValueError(f"{name} is {value:g}, must be at least 0. Correct the number")
    if value > at_most:
        raise ValueError(f"{name} is {value:g}, must be at most {at_most:g}. Correct the number")
    return value + 0.0  # -0 becomes 0


def _parse_named(value: object, name: str) -> float:
    try:
        return parse_number(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
