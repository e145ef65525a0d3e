"""Faults that are added to the canary's recorded minutes: failed calls, or a longer response time. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import Final

from skywalking_provider.queries.sides import SideMinute

_ERRORS: Final = re.compile(r"errors=\+(\d+(?:\.\d+)?)(%?)")
_FACTOR: Final = re.compile(r"latency=x(\d+(?:\.\d+)?)")
_ADDED: Final = re.compile(r"latency=\+(\d+(?:\.\d+)?)(?:ms)?")
_MOST_DRAWS: Final = 20_000
"""Calls of a minute that are drawn one by one. Of more, the normal approximation is exact enough."""


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault of the canary.

    Attributes:
        errors: Share of the other calls that fail, too; from 0 to 1.
        latency_factor: Factor of the response time.
        latency_added: Milliseconds added to it.
        seed: Seed of the calls that fail.
    """

    errors: float = 0.0
    latency_factor: float = 1.0
    latency_added: float = 0.0
    seed: int = 0

    @property
    def description(self) -> str:
        """Effects of the fault in words."""
        parts = (
            f"{100 * self.errors:.3g} % more failed calls" if self.errors else "",
            f"{self.latency_factor:g} × the latency" if self.latency_factor != 1 else "",
            f"{self.latency_added:g} ms more latency" if self.latency_added else "",
        )
        return ", ".join(filter(None, parts))

    def change(self, minute: SideMinute, key: str, *, latency: bool) -> SideMinute:
        """Return a minute of the canary with the fault.

        Args:
            minute: Recorded minute.
            key: Name of the minute. A minute with the same name and seed has the same failed calls.
            latency: Whether the minute has a latency instead of failed calls.
        """
        if latency:
            changed = minute.high * self.latency_factor + self.latency_added
            return SideMinute(minute.calls, changed, changed)
        if not self.errors:
            return minute
        random = Random(f"{self.seed} {key}")  # noqa: S311 # not for secrets
        failed = _draw(random, max(0, minute.calls - round(minute.high)), self.errors)
        return SideMinute(minute.calls, minute.low + failed, min(float(minute.calls), minute.high + failed))

    def affects(self, *, latency: bool) -> bool:
        """Return whether a metric of latency, or one of failed calls, is changed."""
        if latency:
            return self.latency_factor != 1 or self.latency_added != 0
        return self.errors > 0


def parse_injection(texts: Sequence[str], seed: int) -> Injection | None:
    """Parse faults such as `errors=+4%`, `latency=x2` or `latency=+50ms`; None without any.

    Raises:
        ValueError: A text is not a fault.
    """
    errors, factor, added = 0.0, 1.0, 0.0
    for text in texts:
        if match := _ERRORS.fullmatch(text):
            errors = float(match[1]) / (100 if match[2] else 1)
            if not 0 < errors <= 1:
                raise ValueError(f"is {text}, must be more than 0 and at most 100%. Write a share such as errors=+4%")
        elif match := _FACTOR.fullmatch(text):
            factor = float(match[1])
        elif match := _ADDED.fullmatch(text):
            added = float(match[1])
        else:
            raise ValueError(f"is {text}. Write errors=+4%, latency=x2 or latency=+50ms")
    return Injection(errors, factor, added, seed) if texts else None


def _draw(random: Random, calls: int, share: float) -> int:
    """Draw the number of calls that fail."""
    if calls <= _MOST_DRAWS:
        return sum(random.random() < share for _ in range(calls))
    drawn = round(random.gauss(calls * share, sqrt(calls * share * (1 - share))))
    return min(calls, max(0, drawn))
