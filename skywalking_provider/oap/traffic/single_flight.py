"""Identical reads of one backend share one flight, and its answer for a short while.

SkyWalking makes one new point per metric, entity and minute: most questions asked of it within a few seconds are the
same question. A backend has its own flights, and each of its credentials its own answers, so that nothing crosses them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.observer import Observer, Source
from skywalking_provider.oap.traffic.concurrency import ConcurrencyLimiter
from skywalking_provider.oap.traffic.response_cache import ResponseCache
from skywalking_provider.oap.traffic.shared_request import SharedRequest

Data = dict[str, Any]


class _SharedCall:
    """A task that asks, and for whom."""

    def __init__(self, shared_request: SharedRequest) -> None:
        self.shared_request = shared_request
        self.task: asyncio.Task[Data]


class SingleFlight:
    """What is being read now, and what was read just before.

    Answers are shared: nobody may change them.

    Args:
        name: Of the backend, for messages.
        fetch: Reads anew.
        limiter: Where an errand waits for its turn.
        cache_ttl: How many seconds the answer to a read serves that is asked now; 0 shares flights only.
        observer: Is told of every request that was not needed.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[GraphqlRequest, SharedRequest], Awaitable[Data]],
        limiter: ConcurrencyLimiter,
        cache_ttl: Callable[[GraphqlRequest], float],
        observer: Observer,
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._limiter = limiter
        self._cache_ttl = cache_ttl
        self._observer = observer
        # The state: flights and answers by question.
        self._calls: dict[bytes, _SharedCall] = {}
        self._cache = ResponseCache()

    def __repr__(self) -> str:
        return f"<Flights: {len(self._calls)} in flight, {len(self._cache)} answers kept>"

    async def read(self, request: GraphqlRequest, deadline: Deadline, namespace: str, credentials_version: str) -> Data:
        """The `data` of an answer, perhaps one that somebody else asked for.

        A caller that leaves does not end the flight: others may wait for it, and its answer serves the next one. Only
        what nobody waits for and was not sent yet is not sent any more.

        Args:
            request: The question.
            deadline: Until when.
            namespace: Whose turn it takes.
            credentials_version: With whose credentials it would be asked now: nobody else's answer is given.

        Raises:
            BackendAway: It did not come in time.
            ProviderError: What asking raised; a failure is shared by those who waited for it, never remembered.
        """
        question = _digest(f"{credentials_version}\0{request.cache_key}")
        if (data := self._cache.get(question)) is not None:
            self._observer.request_avoided(self._name, Source.CACHE)
            return data
        flight = self._calls.get(question)
        if flight is None:
            flight = self._start_call(question, request, SharedRequest(deadline, [namespace]))
        else:
            self._observer.request_avoided(self._name, Source.SINGLE_FLIGHT)
            flight.shared_request.extend(deadline)
            self._limiter.add_tenant(flight.shared_request, namespace)
        return await self._await_result(question, flight, deadline)

    async def close(self) -> None:
        """End what is being read."""
        tasks = [flight.task for flight in self._calls.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _start_call(self, key: bytes, request: GraphqlRequest, shared_request: SharedRequest) -> _SharedCall:
        flight = self._calls[key] = _SharedCall(shared_request)
        flight.task = asyncio.create_task(self._execute(key, request, flight))
        flight.task.add_done_callback(_retrieve_exception)
        return flight

    async def _execute(self, key: bytes, request: GraphqlRequest, call: _SharedCall) -> Data:
        until = time.monotonic() + self._cache_ttl(request)
        try:
            data = await self._fetch(request, call.shared_request)
        finally:
            self._remove_call(key, call)
        self._cache.put(key, data, until)
        return data

    async def _await_result(self, key: bytes, call: _SharedCall, deadline: Deadline) -> Data:
        call.shared_request.waiters += 1
        try:
            async with asyncio.timeout(deadline.remaining):
                return await asyncio.shield(call.task)
        except TimeoutError as error:
            raise self._timeout_error(call.shared_request) from error
        finally:
            call.shared_request.waiters -= 1
            if not call.shared_request.waiters and not call.shared_request.in_flight:
                self._remove_call(key, call)
                call.task.cancel()

    def _remove_call(self, key: bytes, call: _SharedCall) -> None:
        if self._calls.get(key) is call:
            del self._calls[key]

    def _timeout_error(self, shared_request: SharedRequest) -> BackendUnavailableError:
        if shared_request.slot_granted is not None:
            return self._limiter.overload_error("no turn came in time")
        return BackendUnavailableError(f"backend {self._name} did not answer in time", kind=FailureKind.DEADLINE)


def _digest(key: str) -> bytes:
    """The same for the same question: the texts of a thousand took 0.7 MB."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _retrieve_exception(task: asyncio.Task[Data]) -> None:
    """A failure that nobody waits for any more is no failure of the loop."""
    if not task.cancelled():
        task.exception()
