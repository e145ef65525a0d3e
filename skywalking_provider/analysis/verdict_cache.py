"""Verdicts that serve identical measurements for a moment: runs of one template come in bursts.

Everything that a verdict hangs on is in its question. Only finished ones are kept: nobody's patience is another's. They
serve for their backend's `cache.verdictTtl`, from when their measurement began. The answers that they
are made of, unless their window is settled, serve for the rest of it, from when they were asked for.
"""

import time
from dataclasses import dataclass

from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.model import Metric, Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries import CollectedSample

_MAX_ENTRIES = 512
_MAX_RESULT_CHARACTERS = 4096  # characters of a result
_MAX_NUMBERS = 1024  # of the series behind it


@dataclass(frozen=True, slots=True)
class VerdictKey:
    """What a verdict hangs on.

    Attributes:
        metric: Its block and conditions, as they are written.
        backend: The OAP, as the run's namespace sees it.
        credentials_version: With which credentials it is asked.
        window: What is read.
    """

    metric: Metric
    backend: Backend
    credentials_version: str
    window: Window


@dataclass(frozen=True, slots=True)
class CachedVerdict:
    """A finished verdict, its value, and what it was made of.

    Attributes:
        verdict: The verdict.
        value: As it is told.
        collected_sample: What it was made of.
        characters: Of the whole result.
    """

    verdict: Verdict
    value: str
    collected_sample: CollectedSample
    characters: int

    @property
    def cacheable(self) -> bool:
        """Whether it takes no more memory than a verdict usually does."""
        sample = self.collected_sample.sample
        numbers = sum(len(one.buckets) for one in (*sample.series, *sample.chart_series))
        return self.characters <= _MAX_RESULT_CHARACTERS and numbers <= _MAX_NUMBERS


@dataclass(frozen=True, slots=True)
class _VerdictEntry:
    cached_verdict: CachedVerdict
    expires_at: float


class VerdictCache:
    """The verdicts of the last moment."""

    def __init__(self) -> None:
        # The state: verdicts that serve until their monotonic instant, the oldest first.
        self._entries: dict[VerdictKey, _VerdictEntry] = {}

    def get(self, key: VerdictKey) -> CachedVerdict | None:
        """A verdict that serves still."""
        kept = self._entries.get(key)
        return None if kept is None or time.monotonic() >= kept.expires_at else kept.cached_verdict

    def put(self, key: VerdictKey, cached_verdict: CachedVerdict, started_at: float) -> None:
        """Let a verdict serve.

        Args:
            key: What it hangs on.
            cached_verdict: The verdict.
            started_at: When its measurement did, monotonic: before it asked for anything.
        """
        now, until = time.monotonic(), started_at + key.backend.connection.config.cache.verdict_ttl.total_seconds()
        self._evict(now)
        if now < until and cached_verdict.cacheable:
            self._entries.pop(key, None)
            self._entries[key] = _VerdictEntry(cached_verdict, until)

    def _evict(self, now: float) -> None:
        while self._entries:
            oldest = next(iter(self._entries))
            if len(self._entries) < _MAX_ENTRIES and now < self._entries[oldest].expires_at:
                return
            del self._entries[oldest]
