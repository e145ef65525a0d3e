"""Cache of final verdicts for identical measurements: runs of one template come in bursts.

- The key holds every input of a verdict.
- Pending measurements are not cached, because each has its own wait budget.
- Entries expire `cache.verdictTtl` after the start of their measurement. Responses have a TTL of their own,
  `cache.responseTtl`, so a verdict is at most as old as the sum of both.
"""

from collections.abc import Callable
from dataclasses import dataclass

from skywalking_provider.analysis.cause_cache import cause_size
from skywalking_provider.analysis.judging import Judgement
from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.model import Metric, Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries import CollectedSample
from skywalking_provider.queries.causes.cause import Cause

_MAX_CACHE_BYTES = 4 * 1024 * 1024  # of all entries, by `_approximate_size`
_ENTRY_BYTES = 4096  # of an entry without its texts and numbers, so that at most 1,024 are cached
_NUMBER_BYTES = 64  # of one bucket of a series
_MAX_RESULT_CHARACTERS = 4096
_MAX_NUMBERS = 1024
"""Buckets of all series of a sample."""


@dataclass(frozen=True, slots=True)
class VerdictKey:
    """Inputs of a verdict.

    Attributes:
        metric: Block and conditions as written.
        backend: Backend as the run's namespace sees it.
        credentials_version: Version of the credentials for its requests.
        window: Window of the measurement.
        judged_from: Position in it from which on a judgement searches for a worse canary; 0 for other blocks.
    """

    metric: Metric
    backend: Backend
    credentials_version: str
    window: Window
    judged_from: int = 0


@dataclass(frozen=True, slots=True)
class CachedVerdict:
    """A final verdict with its value and sample.

    Attributes:
        verdict: Verdict.
        value: Value as Argo stores it, before redaction.
        collected_sample: Sample that was evaluated.
        characters: Length of the whole result in JSON.
        judgement: Judgement of a judged block; None for others.
        cause: Cause of a Failed verdict; None if it is not known.
    """

    verdict: Verdict
    value: str
    collected_sample: CollectedSample
    characters: int
    judgement: Judgement | None = None
    cause: Cause | None = None

    @property
    def numbers(self) -> int:
        """Number of buckets of all series."""
        sample = self.collected_sample.sample
        return sum(len(one.buckets) for one in (*sample.series, *sample.chart_series))

    @property
    def cacheable(self) -> bool:
        """Whether the entry is small enough to be cached."""
        return self.characters <= _MAX_RESULT_CHARACTERS and self.numbers <= _MAX_NUMBERS


@dataclass(frozen=True, slots=True)
class _VerdictEntry:
    cached_verdict: CachedVerdict
    expires_at: float
    size: int


class VerdictCache:
    """TTL cache of final verdicts, bounded in bytes.

    Args:
        monotonic: Monotonic clock in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        # State: the entries, the oldest first, and the sum of their sizes.
        self._entries: dict[VerdictKey, _VerdictEntry] = {}
        self._bytes = 0

    def get(self, key: VerdictKey) -> CachedVerdict | None:
        """Return the verdict of a key until it expires."""
        entry = self._entries.get(key)
        return None if entry is None or self._monotonic() >= entry.expires_at else entry.cached_verdict

    def put(self, key: VerdictKey, cached_verdict: CachedVerdict, started_at: float) -> None:
        """Cache a verdict if it has not expired yet and is small enough.

        Args:
            key: Inputs of the verdict.
            cached_verdict: Verdict to cache.
            started_at: Start of its measurement, before any request, on the monotonic clock.
        """
        ttl = key.backend.connection.config.cache.verdict_ttl
        now, expires_at = self._monotonic(), started_at + ttl.total_seconds()
        self._remove(key)
        if now < expires_at and cached_verdict.cacheable:
            entry = _VerdictEntry(cached_verdict, expires_at, _approximate_size(key.metric, cached_verdict))
            self._entries[key] = entry
            self._bytes += entry.size
        self._evict(now)

    def _evict(self, now: float) -> None:
        while self._entries:
            oldest = next(iter(self._entries))
            if self._bytes <= _MAX_CACHE_BYTES and now < self._entries[oldest].expires_at:
                return
            self._remove(oldest)

    def _remove(self, key: VerdictKey) -> None:
        if entry := self._entries.pop(key, None):
            self._bytes -= entry.size


def _approximate_size(metric: Metric, cached_verdict: CachedVerdict) -> int:
    """Return the approximate memory of an entry in bytes. The texts of its series are part of the result."""
    texts = (metric.name, metric.success_condition, metric.failure_condition, cached_verdict.value)
    return (
        _ENTRY_BYTES
        + len(metric.block)
        + 4 * (sum(map(len, texts)) + len(cached_verdict.verdict.detail) + cached_verdict.characters)
        + cause_size(cached_verdict.cause)
        + _NUMBER_BYTES * cached_verdict.numbers
    )
