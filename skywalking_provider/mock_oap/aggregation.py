"""Metrics from calls, by OAP's own formulas (sums and integer divisions, percentiles in steps of 10 ms)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from skywalking_provider.mock_oap.java_format import java_round
from skywalking_provider.mock_oap.versions import PERCENTILES

PERCENTILE_STEP: Final = 10
"""Milliseconds; `percentile(10)` and `percentile2(10)` of the OAL."""
APDEX_THRESHOLD: Final = 500
"""Milliseconds; `default` of service-apdex-threshold.yml."""


@dataclass(slots=True)
class Tally:
    """The calls of one entity in one bucket, summed up."""

    threshold: int = APDEX_THRESHOLD
    calls: int = 0
    successes: int = 0
    latency_sum: int = 0
    satisfied: int = 0
    tolerated: int = 0
    histogram: Counter[int] = field(default_factory=Counter)

    def add(self, latency: int, *, ok: bool) -> None:
        """Count one call; latency in milliseconds."""
        self.calls += 1
        self.successes += ok
        self.latency_sum += latency
        self.histogram[latency // PERCENTILE_STEP] += 1
        if ok and latency <= self.threshold:
            self.satisfied += 1
        elif ok and latency <= 4 * self.threshold:
            self.tolerated += 1

    def merge(self, other: "Tally") -> None:
        """Count another tally's calls too."""
        self.calls += other.calls
        self.successes += other.successes
        self.latency_sum += other.latency_sum
        self.satisfied += other.satisfied
        self.tolerated += other.tolerated
        self.histogram.update(other.histogram)

    def apdex(self) -> int:
        """Apdex times 10,000: a call that failed satisfies nobody."""
        return (self.satisfied * 10_000 + (self.tolerated * 10_000 >> 1)) // self.calls

    def percentiles(self) -> tuple[int, ...]:
        """Milliseconds below which 50, 75, 90, 95 and 99 per cent of the calls stayed, in steps of 10."""
        return tuple(self._percentile(java_round(self.calls * rank / 100)) for rank in PERCENTILES)

    def _percentile(self, roof: int) -> int:
        count = 0
        for step in sorted(self.histogram):
            count += self.histogram[step]
            if count >= roof:
                return step * PERCENTILE_STEP
        return 0


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a minute: how many, how they end, and to whom they are dealt in turn."""

    count: int
    failures: int
    latencies: tuple[int, ...]
    instances: tuple[str, ...]
    endpoints: tuple[str, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class Distributed:
    """The tallies of the first calls of a minute: of all, and by instance and endpoint."""

    whole: Tally
    instances: dict[str, Tally]
    endpoints: dict[str, Tally]


@lru_cache(maxsize=512)
def distribute(calls: Calls, first: int) -> Distributed:
    """Deal the first so many calls of a minute. Failures are spread evenly, each at the end of its stretch."""
    dealt = Distributed(Tally(calls.threshold), {}, {})
    for index in range(first):
        ok = (index + 1) * calls.failures // calls.count == index * calls.failures // calls.count
        latency = calls.latencies[index % len(calls.latencies)]
        for tally in _receivers(dealt, calls, index):
            tally.add(latency, ok=ok)
    return dealt


def _receivers(distributed: Distributed, calls: Calls, index: int) -> Iterable[Tally]:
    yield distributed.whole
    for names, tallies in ((calls.instances, distributed.instances), (calls.endpoints, distributed.endpoints)):
        if names:
            yield tallies.setdefault(names[index % len(names)], Tally(calls.threshold))
