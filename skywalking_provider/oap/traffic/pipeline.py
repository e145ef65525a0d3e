"""Request pipeline of one OAP: circuit breaker with health check, concurrency limit, one attempt, retries."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError
from skywalking_provider.model import Deadline
from skywalking_provider.oap.api.features import HEALTH_REQUEST
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.failure_policy import (
    BreakerEffect,
    classify_breaker_effect,
    classify_outcome,
    is_contacted,
)
from skywalking_provider.oap.observer import Circuit, Observer
from skywalking_provider.oap.traffic.circuit_breaker import CircuitBreaker, Permit
from skywalking_provider.oap.traffic.concurrency import ConcurrencyLimiter
from skywalking_provider.oap.traffic.retry import retry_delay
from skywalking_provider.oap.traffic.shared_request import SharedRequest
from skywalking_provider.oap.transport.client import OapClient

_OPTIONAL_PAUSE_SECONDS: Final = 60.0
"""After a failed optional request none is sent for a minute, so that an OAP that cannot serve them is left alone."""

_log = structlog.get_logger()


class RequestPipeline:
    """Sends requests to one OAP.

    Args:
        name: Name of the backend.
        config: Its limits.
        client: Sends one request.
        observer: Receives each request and the state of the circuit breaker.
        now: Local clock, for messages.
        monotonic: Clock of the circuit breaker and of the timeouts.
    """

    def __init__(
        self,
        name: str,
        config: BackendConfig,
        client: OapClient,
        observer: Observer,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._name = name
        self._timeout = config.timeout.total_seconds()
        self._attempts = 1 + config.retries
        self._client = client
        self._observer = observer
        self._now = now
        self._monotonic = monotonic
        self.limiter = ConcurrencyLimiter(name, config.max_requests, observer)
        self._breaker = CircuitBreaker(config.circuit.failures, config.circuit.cool_down.total_seconds())
        # State: the reported state of the circuit breaker, the last failure that it counted, and its health checks.
        self._reported_state = Circuit.CLOSED
        self._last_failure = ""
        self._checks: set[asyncio.Task[None]] = set()
        # State: the time from which on optional requests are sent.
        self._optional_from = float("-inf")

    async def execute(self, request: GraphqlRequest, shared_request: SharedRequest) -> dict[str, Any]:
        """Return the `data` of the response; retry failures within the deadline.

        An optional request is sent once at most. It is rejected while the backend has no idle slots.

        Raises:
            BackendUnavailableError: No usable response before the deadline, or the circuit breaker is open.
            ProviderError: OAP rejects the query or the credentials; a retry cannot succeed.
        """
        if request.optional:
            return await self._attempt_optional(request, shared_request)
        attempt = 1
        while True:
            try:
                return await self._attempt(request, shared_request)
            except BackendUnavailableError as error:
                delay = retry_delay(
                    error,
                    attempt,
                    remaining=shared_request.remaining,
                    timeout=self._timeout,
                    jitter=random.random(),  # noqa: S311 - spreads requests; not a secret
                )
                if delay is None or attempt >= self._attempts:
                    raise
            attempt += 1
            self._observer.retried(self._name)
            await asyncio.sleep(delay)

    async def close(self) -> None:
        """Cancel the health check in progress."""
        checks = list(self._checks)
        for check in checks:
            check.cancel()
        if checks:
            await asyncio.wait(checks)

    async def _attempt(self, request: GraphqlRequest, shared_request: SharedRequest) -> dict[str, Any]:
        if self._breaker.is_open(self._monotonic()):
            raise self._circuit_open_error()
        async with self.limiter.slot(shared_request):
            permit = self._breaker.admit(self._monotonic())  # it may have opened while the request queued
            self._report_circuit_state()
            if permit is None:
                raise self._circuit_open_error()
            shared_request.in_flight = True
            try:
                return await self._send(request, permit)
            finally:
                shared_request.in_flight = False

    async def _attempt_optional(self, request: GraphqlRequest, shared_request: SharedRequest) -> dict[str, Any]:
        """Send an optional request. Its failure counts neither for the circuit breaker nor for the expected wait."""
        if (
            self._breaker.circuit is not Circuit.CLOSED
            or self._monotonic() < self._optional_from
            or not self.limiter.has_idle_slots(shared_request)
        ):
            message = f"backend {self._name}: an optional request was not sent"
            raise BackendUnavailableError(message, kind=FailureKind.OVERLOADED)
        async with self.limiter.slot(shared_request):
            shared_request.in_flight = True
            try:
                seconds = min(self._timeout, shared_request.deadline.remaining)
                return await self._send_optional(request, Deadline.after(seconds, self._monotonic))
            finally:
                shared_request.in_flight = False

    async def _send_optional(self, request: GraphqlRequest, deadline: Deadline) -> dict[str, Any]:
        started_at = self._monotonic()
        failure: BaseException | None = None
        self._observer.request_started(self._name)
        try:
            return await self._client.read(request, deadline)
        except BaseException as error:
            failure = error
            self._optional_from = self._monotonic() + _OPTIONAL_PAUSE_SECONDS
            raise
        finally:
            self._observer.request_done(self._name, classify_outcome(failure), self._monotonic() - started_at)
            del failure  # as in `_send`

    async def _send(self, request: GraphqlRequest, permit: Permit) -> dict[str, Any]:
        started_at = self._monotonic()
        failure: BaseException | None = None
        self._observer.request_started(self._name)
        try:
            return await self._client.read(request, Deadline.after(self._timeout, self._monotonic))
        except BaseException as error:
            failure = error
            raise
        finally:
            seconds = self._monotonic() - started_at
            self._observer.request_done(self._name, classify_outcome(failure), seconds)
            self._update_breaker(permit, failure)
            self._report_circuit_state()
            self._begin_health_check()
            if is_contacted(failure):
                self.limiter.record_duration(seconds)
            del failure  # its traceback refers to this frame, and the cycle would keep the response in memory

    def _update_breaker(self, permit: Permit, failure: BaseException | None) -> None:
        match classify_breaker_effect(failure):
            case BreakerEffect.RESPONSE:
                self._breaker.on_response(self._monotonic())
            case BreakerEffect.NONE:
                self._breaker.on_cancelled(permit, self._monotonic())
            case _ if isinstance(failure, BackendUnavailableError):
                self._last_failure = failure.message
                self._breaker.on_failure(permit, failure.kind, self._monotonic())

    def _begin_health_check(self) -> None:
        permit = self._breaker.begin_check(self._monotonic())
        if permit is not None:
            check = asyncio.create_task(self._check_health(permit))
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)

    async def _check_health(self, permit: Permit) -> None:
        """Send the light request. It needs no slot: the requests that timed out may hold all of them."""
        try:
            await self._send(HEALTH_REQUEST, permit)
        except BackendUnavailableError as error:
            if is_contacted(error):
                self._breaker.on_check_failure(permit, self._monotonic())
        except ProviderError:
            pass  # a rejected request is a response
        except Exception:  # noqa: BLE001 - the task has no caller that would report a bug
            _log.exception("health check failed", backend=self._name)
        finally:
            self._breaker.end_check(permit, self._monotonic())
            self._report_circuit_state()

    def _report_circuit_state(self) -> None:
        before, circuit = self._reported_state, self._breaker.circuit
        if circuit is before:
            return
        self._reported_state = circuit
        self._observer.circuit_changed(self._name, circuit)
        if circuit is Circuit.CLOSED:
            self.limiter.reset_durations()  # those of the outage do not predict the next ones
            _log.info("circuit breaker closed", backend=self._name)
        elif before is Circuit.CLOSED:
            _log.warning("circuit breaker opened", backend=self._name, reason=self._last_failure)

    def _circuit_open_error(self) -> BackendUnavailableError:
        monotonic, now = self._monotonic(), self._now()
        since, next_probe = (
            f"{now + timedelta(seconds=at - monotonic):%H:%M:%S %z}"
            for at in (self._breaker.opened_at, self._breaker.next_probe_at)
        )
        probe = "probe in progress" if self._breaker.circuit is Circuit.HALF_OPEN else f"next probe at {next_probe}"
        return BackendUnavailableError(
            f"backend {self._name}: circuit breaker open since {since}, {probe}. Last failure: {self._last_failure}",
            kind=FailureKind.CIRCUIT_OPEN,
        )
