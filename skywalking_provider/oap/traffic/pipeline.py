"""Requests to one OAP: each in its turn, repeated where that helps, and none at all while it is away."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline
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

_log = structlog.get_logger()


class RequestPipeline:
    """Asks one OAP.

    Args:
        name: Of the backend.
        config: Its limits.
        client: Sends one request.
        now: Our own clock, for messages.
        observer: Is told of each request, and of the circuit.
    """

    def __init__(
        self, name: str, config: BackendConfig, client: OapClient, now: Callable[[], datetime], observer: Observer
    ) -> None:
        self._name = name
        self._timeout = config.timeout.total_seconds()
        self._attempts = 1 + config.retries
        self._client = client
        self._now = now
        self._observer = observer
        self.limiter = ConcurrencyLimiter(name, config.max_requests, observer)
        self._breaker = CircuitBreaker(config.circuit.failures, config.circuit.cool_down.total_seconds())
        # The state beside that: the circuit as it was told last, and what failed last.
        self._reported_state = Circuit.CLOSED
        self._last_failure = ""

    async def execute(self, request: GraphqlRequest, shared_request: SharedRequest) -> dict[str, Any]:
        """The `data` of an answer.

        Raises:
            BackendAway: Nothing usable came by the errand's deadline, or there is no use in asking now.
            ProviderError: OAP refuses, or does not accept the query; another attempt will not help.
        """
        attempt = 1
        while True:
            try:
                return await self._attempt(request, shared_request)
            except BackendUnavailableError as error:
                pause = retry_delay(
                    error,
                    attempt,
                    remaining=shared_request.remaining,
                    timeout=self._timeout,
                    jitter=random.random(),  # noqa: S311 - to spread, not to hide
                )
                if pause is None or attempt >= self._attempts:
                    raise
            attempt += 1
            self._observer.retried(self._name)
            await asyncio.sleep(pause)

    async def _attempt(self, request: GraphqlRequest, shared_request: SharedRequest) -> dict[str, Any]:
        if self._breaker.is_open_for(request, time.monotonic()):
            raise self._circuit_open_error(request)
        async with self.limiter.slot(shared_request):
            passage = self._breaker.admit(request, time.monotonic())  # it may have opened in the meantime
            self._report_circuit_state()
            if passage is None:
                raise self._circuit_open_error(request)
            shared_request.in_flight = True
            try:
                return await self._send(request, passage)
            finally:
                shared_request.in_flight = False

    async def _send(self, request: GraphqlRequest, permit: Permit) -> dict[str, Any]:
        began = time.monotonic()
        failure: BaseException | None = None
        self._observer.request_started(self._name)
        try:
            return await self._client.read(request, Deadline.after(self._timeout))
        except BaseException as error:
            failure = error
            raise
        finally:
            took = time.monotonic() - began
            self._observer.request_done(self._name, classify_outcome(failure), took)
            self._update_breaker(request, permit, failure)
            self._report_circuit_state()
            if is_contacted(failure):
                self.limiter.record_duration(took)

    def _update_breaker(self, request: GraphqlRequest, permit: Permit, failure: BaseException | None) -> None:
        match classify_breaker_effect(failure):
            case BreakerEffect.RESPONSE:
                self._breaker.on_response()
            case BreakerEffect.NONE:
                self._breaker.on_cancelled(permit, time.monotonic())
            case BreakerEffect.FAILURE | BreakerEffect.FAILURE_PER_QUERY if isinstance(
                failure, BackendUnavailableError
            ):
                self._last_failure = failure.message
                self._breaker.on_failure(permit, failure.kind, request, time.monotonic())

    def _report_circuit_state(self) -> None:
        before, circuit = self._reported_state, self._breaker.circuit
        if circuit is before:
            return
        self._reported_state = circuit
        self._observer.circuit_changed(self._name, circuit)
        if circuit is Circuit.CLOSED:
            self.limiter.reset_durations()  # how long requests took while it was away
            _log.info("circuit breaker closed", backend=self._name)
        elif before is Circuit.CLOSED:
            _log.warning("circuit breaker opened", backend=self._name, because=self._last_failure)

    def _circuit_open_error(self, request: GraphqlRequest) -> BackendUnavailableError:
        monotonic, now = time.monotonic(), self._now()
        since, next_probe = (
            f"{now + timedelta(seconds=at - monotonic):%H:%M:%S %z}"
            for at in (self._breaker.opened_at, self._breaker.earliest_probe_at(request))
        )
        probe = "probe in progress" if self._breaker.circuit is Circuit.HALF_OPEN else f"next probe at {next_probe}"
        return BackendUnavailableError(
            f"backend {self._name}: circuit breaker open since {since}, {probe}. Last failure: {self._last_failure}",
            kind=FailureKind.CIRCUIT_OPEN,
        )
