"""Durations in Go's notation, as Argo writes them: "3m", "1h30m", "90s"."""

import re
from datetime import timedelta
from functools import lru_cache
from typing import Annotated

import durationpy
from pydantic import BeforeValidator

_MAX_DURATION = timedelta(days=7)
_GO = re.compile(r"[-+]?(\d{1,9}(\.\d{0,9})?(h|ms|m|s|us|µs|ns))+", re.ASCII)
_MAX_CHARACTERS = 32


def parse_duration(text: object) -> timedelta:
    """Parse a duration in Go's notation.

    Args:
        text: For example "3m"; a bare 0 needs no unit, as in Go.

    Raises:
        ValueError: The text is not a duration, is negative, or is longer than 7 days.
    """
    if isinstance(text, timedelta):
        return text
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError('is not a duration. Write it in Go\'s notation, such as "3m" or "1h30m"')
    text = str(text).strip()
    if text == "0":
        return timedelta(0)
    try:
        duration = _parse_go(text)
    except (durationpy.DurationError, OverflowError) as error:
        raise ValueError(
            f'{text[:40]!r} is not a duration. Write it in Go\'s notation, such as "3m" or "1h30m"'
        ) from error
    if duration < timedelta(0):
        raise ValueError(f"{text!r} is negative")
    if duration > _MAX_DURATION:
        raise ValueError(f"{text!r} is longer than 7 days")
    return duration


@lru_cache(256)
def _parse_go(text: str) -> timedelta:
    # The library accepts more than Go ("1d", "3m-2m"), and its run time is quadratic in the length.
    if len(text) > _MAX_CHARACTERS or not _GO.fullmatch(text):
        raise durationpy.DurationError
    return durationpy.from_str(text)


def format_duration(duration: timedelta) -> str:
    """Format a duration in Go's notation in its shortest form: "3m", "1h30m"; "90s" becomes "1m30s"."""
    seconds = duration.total_seconds()
    hours, rest = divmod(int(seconds), 3600)
    minutes, whole = divmod(rest, 60)
    fraction = seconds - int(seconds)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    if whole or fraction or not any(parts):
        parts.append(f"{whole + fraction:g}s")
    return "".join(parts)


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
"""Type of a pydantic field that is written as "3m"."""
