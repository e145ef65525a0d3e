"""Circuit breaker of one OAP: closed, open, half-open. No I/O: the time is an argument, in monotonic seconds."""

from dataclasses import dataclass
from typing import Final

from cachetools import FIFOCache

from skywalking_provider.errors import FailureKind
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.failure_policy import FAILURE_POLICIES, BreakerEffect
from skywalking_provider.oap.observer import Circuit

_MAX_TIMED_OUT_QUERIES: Final = 256
"""Bounds memory: in a long outage each probe may be another query that times out."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to send one request. `generation` marks permits given before the state last changed."""

    generation: int


class CircuitBreaker:
    """State of the circuit.

    It opens after `failures` consecutive failures: connection errors, 502-504 and timeouts. Timeouts count once per
    query, so that a single slow query cannot open it. A query that timed out may be the half-open probe only one
    `cool_down` after other queries, so that it cannot keep the circuit open either. Any other response, even 500,
    counts as a success. `failure_policy.py` has the table.

    Args:
        failures: Number of consecutive failures that open the circuit.
        cool_down: Seconds until the next probe, a single request.
    """

    def __init__(self, failures: int, cool_down: float) -> None:
        self._limit = failures
        self._cool_down = cool_down
        # State: failures since the last response (timeouts by query), start of the outage, and time of the next probe.
        self.circuit = Circuit.CLOSED
        self.opened_at = 0.0
        self.next_probe_at = 0.0
        self._failure_count = 0
        self._timed_out_queries: FIFOCache[str, None] = FIFOCache(max(failures, _MAX_TIMED_OUT_QUERIES))
        self._generation = 0

    def earliest_probe_at(self, request: GraphqlRequest) -> float:
        """Return when a request may be the next probe. A query that timed out waits one cool-down longer."""
        return self.next_probe_at + (self._cool_down if request.key_without_window in self._timed_out_queries else 0.0)

    def is_open_for(self, request: GraphqlRequest, now: float) -> bool:
        """Return whether a request would get no permit now."""
        if self.circuit is Circuit.OPEN:
            return now < self.next_probe_at or now < self.earliest_probe_at(request)
        return self.circuit is Circuit.HALF_OPEN

    def admit(self, request: GraphqlRequest, now: float) -> Permit | None:
        """Return a permit, or None. After the cool-down the first request is the only probe."""
        if self.is_open_for(request, now):
            return None
        if self.circuit is Circuit.OPEN:
            self._change_state(Circuit.HALF_OPEN)
        return Permit(self._generation)

    def on_response(self) -> None:
        """Record a response, good or bad: the OAP is reachable, whenever the request was sent."""
        self._failure_count = 0
        if self._timed_out_queries:
            self._timed_out_queries.clear()
        if self.circuit is not Circuit.CLOSED:
            self._change_state(Circuit.CLOSED)

    def on_failure(self, permit: Permit, kind: FailureKind, request: GraphqlRequest, now: float) -> None:
        """Record a failure.

        Args:
            permit: Permit of the request.
            kind: Cause of the failure.
            request: The request. The same query in another window is the same query.
            now: Time of the failure.
        """
        if permit.generation != self._generation:
            return
        if FAILURE_POLICIES[kind].breaker is BreakerEffect.FAILURE_PER_QUERY:
            self._timed_out_queries[request.key_without_window] = None
        else:
            self._failure_count += 1
        if self.circuit is Circuit.HALF_OPEN:
            self._open(now)
        elif self._failure_count + len(self._timed_out_queries) >= self._limit:
            self.opened_at = now
            self._open(now)

    def on_cancelled(self, permit: Permit, now: float) -> None:
        """Record a request without a result. If it was the probe, the next request may be one at once."""
        if permit.generation == self._generation and self.circuit is Circuit.HALF_OPEN:
            self._change_state(Circuit.OPEN)
            self.next_probe_at = now

    def _open(self, now: float) -> None:
        self._change_state(Circuit.OPEN)
        self.next_probe_at = now + self._cool_down

    def _change_state(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self._generation += 1
