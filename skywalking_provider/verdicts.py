"""Verdicts that serve identical measurements for a moment: runs of one template come in bursts.

Everything that a verdict hangs on is in its question. Only finished ones are kept: nobody's patience is another's. They
serve for the last three tenths of their backend's `answerTtl`, from when their measurement began. The answers that they
are made of serve for the rest of it, so that no verdict is made of an older one.
"""

import time
from dataclasses import dataclass

from cachetools import FIFOCache

from skywalking_provider.asking import Answered
from skywalking_provider.judge import Verdict
from skywalking_provider.model import Metric, Window
from skywalking_provider.oap import Backend

_KEPT = 512
_LARGEST = 4096  # characters of a value


@dataclass(frozen=True, slots=True)
class Asked:
    """What a verdict hangs on.

    Attributes:
        metric: Its block and conditions, as they are written.
        backend: The OAP, as the run's namespace sees it.
        identity: With which credentials it is asked.
        window: What is read.
    """

    metric: Metric
    backend: Backend
    identity: str
    window: Window


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished verdict, its value, and what it was made of."""

    verdict: Verdict
    value: str
    answered: Answered


@dataclass(frozen=True, slots=True)
class _Kept:
    finished: Finished
    until: float


class Verdicts:
    """The verdicts of the last moment."""

    def __init__(self) -> None:
        # The state: verdicts that serve until their monotonic instant; the oldest give way.
        self._kept: FIFOCache[Asked, _Kept] = FIFOCache(_KEPT)

    def get(self, asked: Asked) -> Finished | None:
        """A verdict that serves still."""
        try:
            kept = self._kept[asked]  # `get` would look twice, and what is asked has many parts
        except KeyError:
            return None
        return kept.finished if time.monotonic() < kept.until else None

    def keep(self, asked: Asked, finished: Finished, began: float) -> None:
        """Let a verdict serve.

        Args:
            asked: What it hangs on.
            finished: The verdict.
            began: When its measurement did, monotonic: before it asked for anything.
        """
        until = began + asked.backend.config.verdict_seconds
        if len(finished.value) <= _LARGEST and time.monotonic() < until:
            self._kept[asked] = _Kept(finished, until)
