"""Verdicts that serve identical measurements for a moment: runs of one template come in bursts.

Everything that a verdict hangs on is in its question. Only finished ones are kept: nobody's patience is another's. They
serve for the last three tenths of their backend's `answerTtl`. The answers that they are made of serve for the rest of
it, so that none is older than that.
"""

import time
from dataclasses import dataclass

from cachetools import TLRUCache

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
        # The state: verdicts that serve until their monotonic instant.
        self._kept: TLRUCache[Asked, _Kept] = TLRUCache(_KEPT, ttu=lambda _, kept, __: kept.until, timer=time.monotonic)

    def get(self, asked: Asked) -> Finished | None:
        """A verdict that serves still."""
        try:
            return self._kept[asked].finished  # `get` would look twice, and what is asked has many parts
        except KeyError:
            return None

    def keep(self, asked: Asked, finished: Finished) -> None:
        """Let a verdict serve."""
        if len(finished.value) <= _LARGEST and (seconds := asked.backend.config.verdict_seconds):
            self._kept[asked] = _Kept(finished, time.monotonic() + seconds)
