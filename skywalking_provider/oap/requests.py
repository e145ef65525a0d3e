"""Requests to one OAP: each in its turn, repeated where that helps, and none at all while it is away."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import Away, BackendAway, ProviderError
from skywalking_provider.model import Deadline
from skywalking_provider.oap.breaker import Breaker, Passage
from skywalking_provider.oap.client import OapClient
from skywalking_provider.oap.errand import Errand
from skywalking_provider.oap.observer import Circuit, Observer, outcome_of
from skywalking_provider.oap.retries import pause_before_next
from skywalking_provider.oap.slots import Slots
from skywalking_provider.plan import Read

_log = structlog.get_logger()


class Requests:
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
        self.slots = Slots(name, config.max_requests, observer)
        self._breaker = Breaker(config.circuit.failures, config.circuit.cool_down.total_seconds())
        # The state beside that: the circuit as it was told last, and what failed last.
        self._told = Circuit.CLOSED
        self._last_failure = ""

    async def ask(self, read: Read, errand: Errand) -> dict[str, Any]:
        """The `data` of an answer.

        Raises:
            BackendAway: Nothing usable came by the errand's deadline, or there is no use in asking now.
            ProviderError: OAP refuses, or does not accept the query; another attempt will not help.
        """
        attempt = 1
        while True:
            try:
                return await self._attempt(read, errand)
            except BackendAway as error:
                pause = pause_before_next(
                    error,
                    attempt,
                    remaining=errand.remaining,
                    timeout=self._timeout,
                    chance=random.random(),  # noqa: S311 - to spread, not to hide
                )
                if pause is None or attempt >= self._attempts:
                    raise
            attempt += 1
            self._observer.retried(self._name)
            await asyncio.sleep(pause)

    async def _attempt(self, read: Read, errand: Errand) -> dict[str, Any]:
        if self._breaker.refuses(read, time.monotonic()):
            raise self._away(read)
        async with self.slots.held(errand):
            passage = self._breaker.admit(read, time.monotonic())  # it may have opened in the meantime
            self._tell_of_the_circuit()
            if passage is None:
                raise self._away(read)
            errand.asking = True
            try:
                return await self._send(read, passage)
            finally:
                errand.asking = False

    async def _send(self, read: Read, passage: Passage) -> dict[str, Any]:
        began = time.monotonic()
        failure: BaseException | None = None
        self._observer.request_started(self._name)
        try:
            return await self._client.read(read, Deadline.after(self._timeout))
        except BaseException as error:
            failure = error
            raise
        finally:
            took = time.monotonic() - began
            self._observer.request_done(self._name, outcome_of(failure), took)
            self._learn(read, passage, failure)
            self._tell_of_the_circuit()
            self.slots.took(took)

    def _learn(self, read: Read, passage: Passage, failure: BaseException | None) -> None:
        match failure:
            case BackendAway() if failure.how is not Away.OTHER:
                self._last_failure = failure.what
                self._breaker.failed(passage, failure.how, read, time.monotonic())
            case None | ProviderError():
                self._breaker.answered()
            case _:
                self._breaker.withdrawn(passage, time.monotonic())

    def _tell_of_the_circuit(self) -> None:
        before, circuit = self._told, self._breaker.circuit
        if circuit is before:
            return
        self._told = circuit
        self._observer.circuit_changed(self._name, circuit)
        if circuit is Circuit.CLOSED:
            self.slots.forget()  # how long requests took while it was away
            _log.info("circuit breaker closed", backend=self._name)
        elif before is Circuit.CLOSED:
            _log.warning("circuit breaker opened", backend=self._name, because=self._last_failure)

    def _away(self, read: Read) -> BackendAway:
        monotonic, now = time.monotonic(), self._now()
        since, next_try = (
            f"{now + timedelta(seconds=at - monotonic):%H:%M:%S %z}"
            for at in (self._breaker.opened_at, self._breaker.next_try_of(read))
        )
        tried = (
            "it is tried just now" if self._breaker.circuit is Circuit.HALF_OPEN else f"the next try is at {next_try}"
        )
        return BackendAway(
            f"backend {self._name} is away since {since} and not asked, {tried}; the last failure: {self._last_failure}"
        )
