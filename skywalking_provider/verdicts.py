"""Verdicts that serve identical measurements for a moment: runs of one template come in bursts.

Everything that a verdict hangs on is in its question. Only finished ones are kept: nobody's patience is another's. They
serve for the last three tenths of their backend's `answerTtl`, from when their measurement began. The answers that they
are made of, unless their window is settled, serve for the rest of it, from when they were asked for.
"""

import time
from dataclasses import dataclass

from skywalking_provider.asking import Answered
from skywalking_provider.judge import Verdict
from skywalking_provider.model import Metric, Window
from skywalking_provider.oap import Backend

_KEPT = 512
_LARGEST = 4096  # characters of a result
_MOST_NUMBERS = 1024  # of the series behind it


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
    """A finished verdict, its value, and what it was made of.

    Attributes:
        verdict: The verdict.
        value: As it is told.
        answered: What it was made of.
        characters: Of the whole result.
    """

    verdict: Verdict
    value: str
    answered: Answered
    characters: int

    @property
    def small(self) -> bool:
        """Whether it takes no more memory than a verdict usually does."""
        sample = self.answered.sample
        numbers = sum(len(one.buckets) for one in (*sample.reads, *sample.shown))
        return self.characters <= _LARGEST and numbers <= _MOST_NUMBERS


@dataclass(frozen=True, slots=True)
class _Kept:
    finished: Finished
    until: float


class Verdicts:
    """The verdicts of the last moment."""

    def __init__(self) -> None:
        # The state: verdicts that serve until their monotonic instant, the oldest first.
        self._kept: dict[Asked, _Kept] = {}

    def get(self, asked: Asked) -> Finished | None:
        """A verdict that serves still."""
        kept = self._kept.get(asked)
        return None if kept is None or time.monotonic() >= kept.until else kept.finished

    def keep(self, asked: Asked, finished: Finished, began: float) -> None:
        """Let a verdict serve.

        Args:
            asked: What it hangs on.
            finished: The verdict.
            began: When its measurement did, monotonic: before it asked for anything.
        """
        now, until = time.monotonic(), began + asked.backend.config.verdict_seconds
        self._make_room(now)
        if now < until and finished.small:
            self._kept.pop(asked, None)
            self._kept[asked] = _Kept(finished, until)

    def _make_room(self, now: float) -> None:
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) < _KEPT and now < self._kept[oldest].until:
                return
            del self._kept[oldest]
