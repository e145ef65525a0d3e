"""Counts of a simulation: how measurements ended, how late, and what they cost."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """End of one call."""

    SUCCESSFUL = "Successful"
    RUNNING = "Running"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


@dataclass(slots=True)
class Tally:
    """Counts from a time on, so that a warm-up is left out.

    Attributes:
        since: Start of the counts.
        begun: Measurements that began, from the start of the simulation.
        ended: Measurements that ended, from the start of the simulation, by outcome.
        calls: Calls, by outcome.
        latencies: Durations of the calls in seconds.
        lateness: Seconds from the due time to the end of each Successful measurement.
        latest: Largest lateness by second of the end.
        oap_requests: OAP requests by second.
        busy: CPU seconds by replica.
        lookups: Lookups in a shared cache, and stores.
        shed: Calls that got no request slot.
        retried: Calls that the bridge sent again.
        in_flight: Calls in progress.
        in_flight_seconds: Integral of the calls in progress.
        most_in_flight: Largest number of calls in progress.
    """

    since: float
    begun: int = 0
    ended: Counter[Outcome] = field(default_factory=Counter)
    calls: Counter[Outcome] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    latest: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    oap_requests: Counter[int] = field(default_factory=Counter)
    calls_by_second: Counter[int] = field(default_factory=Counter)
    busy: Counter[int] = field(default_factory=Counter)
    lookups: int = 0
    shed: int = 0
    retried: int = 0
    in_flight: int = 0
    in_flight_seconds: float = 0.0
    most_in_flight: int = 0
    _changed_at: float = 0.0

    def call_began(self, now: float) -> None:
        """Count a call."""
        self._integrate(now)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.calls_by_second[int(now)] += 1

    def call_ended(self, outcome: Outcome, sent_at: float, now: float) -> None:
        """Count the end of a call."""
        self._integrate(now)
        self.in_flight -= 1
        if now >= self.since:
            self.calls[outcome] += 1
            self.latencies.append(now - sent_at)

    def measurement_ended(self, outcome: Outcome, due_at: float, now: float) -> None:
        """Count the end of a measurement."""
        self.ended[outcome] += 1
        if now >= self.since and outcome is Outcome.SUCCESSFUL:
            late = now - due_at
            self.lateness.append(late)
            self.latest[int(now)] = max(self.latest[int(now)], late)

    def worked(self, replica: int, now: float, seconds: float) -> None:
        """Count CPU time."""
        if now >= self.since:
            self.busy[replica] += seconds  # type: ignore[assignment]

    def request_sent(self, now: float) -> None:
        """Count an OAP request."""
        if now >= self.since:
            self.oap_requests[int(now)] += 1

    def _integrate(self, now: float) -> None:
        begin = max(self._changed_at, self.since)
        if now > begin:
            self.in_flight_seconds += self.in_flight * (now - begin)
        self._changed_at = now


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of the values; 0 without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
