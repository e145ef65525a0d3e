"""Aggregation of calls by OAP's formulas: sums, integer divisions, and percentiles in steps of 10 ms."""

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
    """Counters over the calls of one entity in one bucket."""

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
        """Add the calls of another tally."""
        self.calls += other.calls
        self.successes += other.successes
        self.latency_sum += other.latency_sum
        self.satisfied += other.satisfied
        self.tolerated += other.tolerated
        self.histogram.update(other.histogram)

    def apdex(self) -> int:
        """Return Apdex times 10,000. A failed call is neither satisfied nor tolerated."""
        return (self.satisfied * 10_000 + (self.tolerated * 10_000 >> 1)) // self.calls

    def percentiles(self) -> tuple[int, ...]:
        """Return the 50th, 75th, 90th, 95th and 99th percentile in milliseconds, in steps of 10."""
        return tuple(self._percentile(java_round(self.calls * rank / 100)) for rank in PERCENTILES)

    def _percentile(self, rank: int) -> int:
        count = 0
        for step in sorted(self.histogram):
            count += self.histogram[step]
            if count >= rank:
                return step * PERCENTILE_STEP
        return 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its latency in milliseconds, whether it succeeds, and the instance and endpoint; empty without one."""

    latency: int
    ok: bool
    instance: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a minute, and the instances and endpoints that they are assigned to round robin."""

    count: int
    failures: int
    latencies: tuple[int, ...]
    instances: tuple[str, ...]
    endpoints: tuple[str, ...]
    threshold: int

    def call(self, index: int) -> Call:
        """Return one of the calls, from 0 to `count` - 1."""
        return Call(
            self.latencies[index % len(self.latencies)],
            # Failures are spread evenly: of 10 calls with 2 failures, the 5th and the 10th fail.
            (index + 1) * self.failures // self.count == index * self.failures // self.count,
            self.instances[index % len(self.instances)] if self.instances else "",
            self.endpoints[index % len(self.endpoints)] if self.endpoints else "",
        )


@dataclass(frozen=True, slots=True)
class Distributed:
    """Tallies of the first calls of a minute: of all calls, by instance, and by endpoint."""

    whole: Tally
    instances: dict[str, Tally]
    endpoints: dict[str, Tally]


@lru_cache(maxsize=512)
def distribute(calls: Calls, first: int) -> Distributed:
    """Assign the first calls of a minute to instances and endpoints.

    Failures are spread evenly over the minute: of 10 calls with 2 failures, the 5th and the 10th fail.

    Args:
        calls: Calls of the whole minute.
        first: Number of calls to assign.
    """
    distributed = Distributed(Tally(calls.threshold), {}, {})
    for index in range(first):
        ok = (index + 1) * calls.failures // calls.count == index * calls.failures // calls.count
        latency = calls.latencies[index % len(calls.latencies)]
        for tally in _receivers(distributed, calls, index):
            tally.add(latency, ok=ok)
    return distributed


def _receivers(distributed: Distributed, calls: Calls, index: int) -> Iterable[Tally]:
    yield distributed.whole
    for names, tallies in ((calls.instances, distributed.instances), (calls.endpoints, distributed.endpoints)):
        if names:
            yield tallies.setdefault(names[index % len(names)], Tally(calls.threshold))
