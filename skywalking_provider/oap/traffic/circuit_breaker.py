"""Whether an OAP is asked at all: closed, open, half-open. Pure: the time is an argument, in monotonic seconds."""

from dataclasses import dataclass
from typing import Final

from cachetools import FIFOCache

from skywalking_provider.errors import FailureKind
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.failure_policy import FAILURE_POLICIES, BreakerEffect
from skywalking_provider.oap.observer import Circuit

_MAX_TIMED_OUT_QUERIES: Final = (
    256  # late questions of one outage: a bound of memory; in a long one each probe may be another
)


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one request; `round` tells those apart that were sent before the circuit last changed."""

    generation: int


class CircuitBreaker:
    """The circuit of one OAP.

    It opens after so many failures without an answer between them. What counts is that no connection could be had,
    that it broke, 502 to 504, and lateness; lateness once for each question, so that one slow query opens it for
    nobody; and as the probe it gives way to others, so that it keeps the circuit open for nobody either. Whatever else
    an OAP answers, it answers.

    Args:
        failures: So many.
        cool_down: Seconds until it is tried again, with one request.
    """

    def __init__(self, failures: int, cool_down: float) -> None:
        self._limit = failures
        self._cool_down = cool_down
        # The state: what failed since the last answer (lateness by question), since when nothing is asked, and when the
        # next try may be.
        self.circuit = Circuit.CLOSED
        self.opened_at = 0.0
        self.next_probe_at = 0.0
        self._failure_count = 0
        self._timed_out_queries: FIFOCache[str, None] = FIFOCache(max(failures, _MAX_TIMED_OUT_QUERIES))
        self._generation = 0

    def earliest_probe_at(self, request: GraphqlRequest) -> float:
        """When a read may be the next try: one whose question was late leaves the first cool-down to all others."""
        return self.next_probe_at + (self._cool_down if request.key_without_window in self._timed_out_queries else 0.0)

    def is_open_for(self, request: GraphqlRequest, now: float) -> bool:
        """Whether there is no use in coming now."""
        if self.circuit is Circuit.OPEN:
            return now < self.next_probe_at or now < self.earliest_probe_at(request)
        return self.circuit is Circuit.HALF_OPEN

    def admit(self, request: GraphqlRequest, now: float) -> Permit | None:
        """Leave to ask, or None. After the cool-down the first who comes is the probe, alone."""
        if self.is_open_for(request, now):
            return None
        if self.circuit is Circuit.OPEN:
            self._change_state(Circuit.HALF_OPEN)
        return Permit(self._generation)

    def on_response(self) -> None:
        """An answer came, good or bad: the OAP is there, whenever it was asked."""
        self._failure_count = 0
        if self._timed_out_queries:
            self._timed_out_queries.clear()
        if self.circuit is not Circuit.CLOSED:
            self._change_state(Circuit.CLOSED)

    def on_failure(self, permit: Permit, kind: FailureKind, request: GraphqlRequest, now: float) -> None:
        """No answer came.

        Args:
            permit: The request's.
            kind: Why not.
            request: What was asked; the same in another window is the same.
            now: When it failed.
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
        """The request was given up: it tells nothing, and if it was the probe, the next one is."""
        if permit.generation == self._generation and self.circuit is Circuit.HALF_OPEN:
            self._change_state(Circuit.OPEN)
            self.next_probe_at = now

    def _open(self, now: float) -> None:
        self._change_state(Circuit.OPEN)
        self.next_probe_at = now + self._cool_down

    def _change_state(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self._generation += 1
