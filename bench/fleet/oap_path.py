"""Path of one replica to the OAPs: circuit breaker, request slots, one attempt, retries.

The decisions are the product's own: the circuit breaker, the expected wait and the pause before a retry.
"""

import random
from collections import deque
from collections.abc import Callable

from bench.fleet.caches import Flight
from bench.fleet.calls import Call
from bench.fleet.event_loop import EventLoop
from bench.fleet.model import BACKEND
from bench.fleet.oap_pool import OapPool
from bench.fleet.tally import Tally
from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.oap.observer import Circuit
from skywalking_provider.oap.traffic.circuit_breaker import CircuitBreaker, Permit
from skywalking_provider.oap.traffic.concurrency import expected_wait
from skywalking_provider.oap.traffic.retry import retry_delay

_TIMEOUT = BACKEND.timeout.total_seconds()
_MEAN_WEIGHT = 0.2  # of the latest request in the running mean of the durations, as in the product
_FAILURES = {kind: BackendUnavailableError("", kind=kind) for kind in (FailureKind.CONNECT, FailureKind.TIMEOUT)}
Report = Callable[[Flight[Call]], None]


class OapPath:
    """Requests of one replica.

    Args:
        oaps: The OAPs.
        loop: Event loop.
        tally: Counts.
        rng: Random numbers of the jitter.
        on_response: Receives a request with its response.
        on_failure: Receives a request that failed after its retries.
    """

    def __init__(
        self,
        oaps: OapPool,
        loop: EventLoop,
        tally: Tally,
        rng: random.Random,
        on_response: Report,
        on_failure: Report,
    ) -> None:
        self._oaps = oaps
        self._loop = loop
        self._tally = tally
        self._rng = rng
        self._on_response = on_response
        self._on_failure = on_failure
        self._breaker = CircuitBreaker(BACKEND.circuit.failures, BACKEND.circuit.cool_down.total_seconds())
        # State: free slots, requests that wait for one, mean duration, and whether the process has ended.
        self._free = BACKEND.max_requests
        self._queue: deque[Flight[Call]] = deque()
        self._mean = 0.0
        self._closed = False

    def is_open(self, now: float) -> bool:
        """Return whether a request would be rejected now."""
        return self._breaker.is_open(now)

    def close(self) -> None:
        """Drop all requests."""
        self._closed = True

    def fetch(self, flight: Flight[Call]) -> None:
        """Send a request, or queue it."""
        now = self._loop.now
        if self._closed:
            return
        if self._breaker.is_open(now):
            self._on_failure(flight)
        elif self._free:
            self._free -= 1
            self._send(flight)
        elif expected_wait(len(self._queue), BACKEND.max_requests, self._mean) > flight.deadline - now:
            self._tally.shed += len(flight.waiters)
            self._on_failure(flight)
        else:
            self._queue.append(flight)

    def _send(self, flight: Flight[Call]) -> None:
        now = self._loop.now
        permit = self._breaker.admit(now)
        if permit is None or flight.deadline <= now:
            self._release()
            self._on_failure(flight)
            return
        self._tally.request_sent(now)
        ends_at, oap, kind = self._oaps.serve(now)
        self._loop.at(ends_at, self._end, flight, permit, now, oap, kind)

    def _end(self, flight: Flight[Call], permit: Permit, sent_at: float, oap: int, kind: FailureKind | None) -> None:
        if self._closed:
            return
        now = self._loop.now
        kind = kind or self._oaps.was_lost(oap, sent_at)
        if kind is FailureKind.TIMEOUT and now < sent_at + _TIMEOUT:
            self._loop.at(sent_at + _TIMEOUT, self._end, flight, permit, sent_at, oap, kind)
            return
        self._mean += (now - sent_at - self._mean) * (_MEAN_WEIGHT if self._mean else 1.0)
        self._update_breaker(permit, kind)
        self._release()
        if kind is None:
            self._on_response(flight)
        else:
            self._retry(flight, kind)

    def _retry(self, flight: Flight[Call], kind: FailureKind) -> None:
        now = self._loop.now
        delay = retry_delay(
            _FAILURES[kind],
            flight.attempt,
            remaining=flight.deadline - now,
            timeout=_TIMEOUT,
            jitter=self._rng.random(),
        )
        if delay is None or flight.attempt > BACKEND.retries:
            self._on_failure(flight)
            return
        flight.attempt += 1
        self._loop.at(now + delay, self.fetch, flight)

    def _update_breaker(self, permit: Permit, kind: FailureKind | None) -> None:
        now = self._loop.now
        if kind is None:
            if self._breaker.circuit is not Circuit.CLOSED:
                self._mean = 0.0
            self._breaker.on_response(now)
            return
        self._breaker.on_failure(permit, kind, now)
        if (check := self._breaker.begin_check(now)) is not None:
            ends_at, oap, failure = self._oaps.serve(now)
            self._loop.at(ends_at, self._end_check, check, now, oap, failure)

    def _end_check(self, check: Permit, sent_at: float, oap: int, failure: FailureKind | None) -> None:
        now = self._loop.now
        if failure is None and self._oaps.was_lost(oap, sent_at) is None:
            self._breaker.on_response(now)
        else:
            self._breaker.on_check_failure(check, now)
        self._breaker.end_check(check, now)

    def _release(self) -> None:
        if self._queue:
            # The slot passes to the next request, as an event: its report may release another one.
            self._loop.at(self._loop.now, self._send, self._queue.popleft())
        else:
            self._free += 1
