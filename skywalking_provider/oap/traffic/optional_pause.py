"""Pause of an optional part of requests, after an OAP failed to serve it."""

from collections.abc import Callable
from typing import Final

PAUSE_SECONDS: Final = 600.0
"""An OAP is rarely reconfigured. Each try of a part that it cannot serve writes an error to its log."""


class OptionalPause:
    """Pause that starts with a failure, and ends by itself.

    Args:
        monotonic: Clock in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends_at = float("-inf")

    @property
    def is_over(self) -> bool:
        """Whether the part may be requested."""
        return self._monotonic() >= self._ends_at

    def start(self) -> None:
        """Start the pause, or start it again."""
        self._ends_at = self._monotonic() + PAUSE_SECONDS
