"""Single flight: concurrent callers with the same key share one task and its result, or its error."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline
from skywalking_provider.oap.traffic.shared_request import INTERNAL_TENANT, SharedRequest

T = TypeVar("T")

Execute = Callable[[SharedRequest], Coroutine[Any, Any, T]]


class _SharedCall(Generic[T]):
    """A task in progress and the request that its callers share."""

    def __init__(self, shared_request: SharedRequest) -> None:
        self.shared_request = shared_request
        self.task: asyncio.Task[T]


class SingleFlight(Generic[T]):
    """Calls in progress by key.

    A caller that leaves does not end the call: other callers may wait for it, and its result may be cached. A call that
    has no callers left is cancelled only before or between its requests.

    Args:
        timeout_error: Builds the error of a caller whose deadline passes first.
        on_join: Receives the shared request and the namespace of each caller that joins a call in progress.
    """

    def __init__(
        self,
        timeout_error: Callable[[SharedRequest], BackendUnavailableError],
        on_join: Callable[[SharedRequest, str], None] = lambda *_: None,
    ) -> None:
        self._timeout_error = timeout_error
        self._on_join = on_join
        # State: the calls in progress.
        self._calls: dict[bytes, _SharedCall[T]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    async def call(self, key: bytes, execute: Execute[T], deadline: Deadline, namespace: str) -> T:
        """Return the result of the call with this key; join it if it is in progress, otherwise start it.

        Args:
            key: Identity of the call.
            execute: Produces the result; runs in a task of its own.
            deadline: Deadline of this caller.
            namespace: Tenant of this caller.

        Raises:
            BackendUnavailableError: The deadline passed.
            ProviderError: The error of the call. All its callers get it, and it is not cached.
        """
        return await self._await_result(key, self._join_or_start(key, execute, deadline, namespace), deadline)

    async def close(self) -> None:
        """Cancel the calls in progress."""
        tasks = [call.task for call in self._calls.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _join_or_start(self, key: bytes, execute: Execute[T], deadline: Deadline, namespace: str) -> _SharedCall[T]:
        call = self._calls.get(key)
        if call is None:
            return self._start(key, execute, SharedRequest(deadline, [namespace]))
        call.shared_request.extend(deadline)
        self._on_join(call.shared_request, namespace)
        return call

    def _start(self, key: bytes, execute: Execute[T], shared_request: SharedRequest) -> _SharedCall[T]:
        call = self._calls[key] = _SharedCall[T](shared_request)
        call.task = asyncio.create_task(self._run(key, execute, call))
        call.task.add_done_callback(_retrieve_exception)
        return call

    async def _run(self, key: bytes, execute: Execute[T], call: _SharedCall[T]) -> T:
        try:
            return await execute(call.shared_request)
        finally:
            self._remove(key, call)
            del call  # as in _await_result

    async def _await_result(self, key: bytes, call: _SharedCall[T], deadline: Deadline) -> T:
        shared_request = call.shared_request
        shared_request.waiters += 1
        try:
            async with asyncio.timeout(deadline.remaining):
                return await asyncio.shield(call.task)
        except TimeoutError as error:
            raise self._timeout_error(shared_request) from error
        finally:
            shared_request.waiters -= 1
            if not shared_request.waiters and not shared_request.in_flight:
                self._remove(key, call)
                call.task.cancel()
            del call  # its task refers to an error, whose traceback refers to this frame and to the response

    def _remove(self, key: bytes, call: _SharedCall[T]) -> None:
        if self._calls.get(key) is call:
            del self._calls[key]


_ONLY_KEY: Final = b""


class RefreshingValue(Generic[T]):
    """One value with a TTL, refreshed by single flight. A failed refresh is not cached.

    Args:
        description: Name of the value in messages, such as "the clock of backend prod".
        fetch: Fetches the value.
        ttl_seconds: Seconds that a value is used, from the start of its fetch.
        monotonic: Clock of the TTL.
    """

    def __init__(self, description: str, fetch: Execute[T], ttl_seconds: float, monotonic: Callable[[], float]) -> None:
        self._description = description
        self._fetch = fetch
        self._ttl_seconds = ttl_seconds
        self._monotonic = monotonic
        self._single_flight = SingleFlight[T](self._timeout_error)
        # State: the last value and the start of its fetch.
        self._value: T | None = None
        self._fetched_at = float("-inf")

    @property
    def peek(self) -> T | None:
        """The last value, however old; None before the first one."""
        return self._value

    async def get(self, deadline: Deadline, *, newer_than: float | None = None) -> T:
        """Return the value; fetch it if its TTL has ended.

        Args:
            deadline: Deadline of this caller.
            newer_than: TTL in seconds of this call, where the usual one is too long.

        Raises:
            BackendUnavailableError: The deadline passed.
            ProviderError: The error of the fetch.
        """
        seconds = self._ttl_seconds if newer_than is None else min(newer_than, self._ttl_seconds)
        if self._value is not None and self._monotonic() - self._fetched_at < seconds:
            return self._value
        return await self._single_flight.call(_ONLY_KEY, self._refresh, deadline, INTERNAL_TENANT)

    async def close(self) -> None:
        """Cancel the fetch in progress."""
        await self._single_flight.close()

    async def _refresh(self, shared_request: SharedRequest) -> T:
        started_at = self._monotonic()
        value = await self._fetch(shared_request)
        self._value, self._fetched_at = value, started_at
        return value

    def _timeout_error(self, _: SharedRequest) -> BackendUnavailableError:
        return BackendUnavailableError(f"{self._description} could not be read in time", kind=FailureKind.DEADLINE)


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Mark the exception of a task without callers as retrieved, so that the event loop does not report it."""
    if not task.cancelled():
        task.exception()
