"""Circuit breaker of one OAP: closed, open, half-open. No I/O: the time is an argument, in monotonic seconds."""

from dataclasses import dataclass

from skywalking_provider.errors import FailureKind
from skywalking_provider.oap.failure_policy import FAILURE_POLICIES, BreakerEffect
from skywalking_provider.oap.observer import Circuit


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to send one request.

    Attributes:
        generation: Marks permits given before the state last changed.
        sent_at: Time of the permit.
    """

    generation: int
    sent_at: float


class CircuitBreaker:
    """State of the circuit.

    It opens after `failures` failures without a response in between. Connection errors and 502-504 are failures. A
    timeout may be the fault of a slow query, so it is evidence only:

    - A timeout counts only if the OAP has responded to no request at all since the query was sent.
    - Timeouts never open the circuit. One failure before the limit a health check is due: a light request. Requests
      are admitted meanwhile. Its failure opens the circuit, so that it is the last of the `failures`.
    - A half-open circuit whose probe timed out is opened again, or closed, by a health check, too.

    Any other response, even 500, counts as a success. `failure_policy.py` has the table.

    Args:
        failures: Number of consecutive failures that open the circuit.
        cool_down: Seconds until the next probe, a single request.
    """

    def __init__(self, failures: int, cool_down: float) -> None:
        self._limit = failures
        self._cool_down = cool_down
        # State: failures and timeouts since the last response, start of the outage, and time of the next probe.
        self.circuit = Circuit.CLOSED
        self.opened_at = 0.0
        self.next_probe_at = 0.0
        self._failure_count = 0
        self._timeout_count = 0
        self._responded_at = float("-inf")
        self._generation = 0
        self._check: Permit | None = None  # the health check in progress

    def is_open(self, now: float) -> bool:
        """Return whether a request would get no permit now."""
        if self.circuit is Circuit.OPEN:
            return now < self.next_probe_at
        return self.circuit is Circuit.HALF_OPEN

    def admit(self, now: float) -> Permit | None:
        """Return a permit, or None. After the cool-down the first request is the only probe."""
        if self.is_open(now):
            return None
        if self.circuit is Circuit.OPEN:
            self._change_state(Circuit.HALF_OPEN)
        return Permit(self._generation, now)

    def begin_check(self, now: float) -> Permit | None:
        """Return the permit of a health check if one is due. Only one is in progress at a time."""
        needed = 1 if self.circuit is Circuit.HALF_OPEN else max(1, self._limit - 1)
        in_progress = self._check is not None and self._check.generation == self._generation
        if not self._timeout_count or self._failure_count + self._timeout_count < needed or in_progress:
            return None
        self._check = Permit(self._generation, now)
        return self._check

    def on_response(self, now: float) -> None:
        """Record a response, good or bad: the OAP is reachable, whenever the request was sent."""
        self._responded_at = now
        self._failure_count = self._timeout_count = 0
        if self.circuit is not Circuit.CLOSED:
            self._change_state(Circuit.CLOSED)

    def on_failure(self, permit: Permit, kind: FailureKind, now: float) -> None:
        """Record a failure of a request.

        Args:
            permit: Permit of the request.
            kind: Cause of the failure.
            now: Time of the failure.
        """
        if permit.generation != self._generation:
            return
        if FAILURE_POLICIES[kind].breaker is BreakerEffect.NO_RESPONSE:
            if self._responded_at < permit.sent_at:
                self._timeout_count += 1
            return
        self._failure_count += 1
        if self.circuit is Circuit.HALF_OPEN or self._failure_count >= self._limit:
            self._open(now)

    def on_cancelled(self, permit: Permit, now: float) -> None:
        """Record a request without a result. If it was the probe, the next request may be one at once."""
        if permit.generation == self._generation and self.circuit is Circuit.HALF_OPEN:
            self._change_state(Circuit.OPEN)
            self.next_probe_at = now

    def on_check_failure(self, permit: Permit, now: float) -> None:
        """Record a failed health check, whatever its kind: nothing shows that the OAP responds."""
        if permit.generation == self._generation and self._responded_at < permit.sent_at:
            self._open(now)

    def end_check(self, permit: Permit, now: float) -> None:
        """Record the end of a health check. After one that decided nothing the next request is the probe."""
        if self._check is permit:
            self._check = None
        self.on_cancelled(permit, now)

    def _open(self, now: float) -> None:
        if self.circuit is Circuit.CLOSED:
            self.opened_at = now
        self._change_state(Circuit.OPEN)
        self.next_probe_at = now + self._cool_down

    def _change_state(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self._failure_count = self._timeout_count = 0
        self._generation += 1
