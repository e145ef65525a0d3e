"""Reads of one backend: single flight with a response cache.

Concurrent identical requests are sent once, and the response is reused until its TTL ends. SkyWalking makes one new
point per metric, entity and minute, so most requests within a few seconds are identical. Each backend has its own
reader, and the credentials are part of the key: no response crosses either of them.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import blake2b
from typing import Any

from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.observer import Observer, Source
from skywalking_provider.oap.traffic.concurrency import ConcurrencyLimiter
from skywalking_provider.oap.traffic.response_cache import ResponseCache
from skywalking_provider.oap.traffic.shared_request import SharedRequest
from skywalking_provider.oap.traffic.single_flight import SingleFlight

Data = dict[str, Any]


class CachedReader:
    """Reader of one backend. Responses are shared: callers must not change them.

    Args:
        name: Name of the backend, for messages.
        execute: Sends a request.
        limiter: Limiter that the shared requests queue in.
        cache_ttl: Returns the TTL in seconds of a request's response; with 0 only concurrent requests are shared.
        observer: Receives the requests that were avoided.
        monotonic: Clock of the cache.
    """

    def __init__(
        self,
        name: str,
        execute: Callable[[GraphqlRequest, SharedRequest], Awaitable[Data]],
        limiter: ConcurrencyLimiter,
        cache_ttl: Callable[[GraphqlRequest], float],
        observer: Observer,
        monotonic: Callable[[], float],
    ) -> None:
        self._name = name
        self._execute = execute
        self._limiter = limiter
        self._cache_ttl = cache_ttl
        self._observer = observer
        self._monotonic = monotonic
        self._cache = ResponseCache(monotonic)
        self._single_flight = SingleFlight[Data](self._timeout_error, self._on_join)

    def __repr__(self) -> str:
        return f"<CachedReader: {len(self._single_flight)} in flight, {len(self._cache)} cached>"

    async def read(self, request: GraphqlRequest, deadline: Deadline, namespace: str, credentials_version: str) -> Data:
        """Return the `data` of a response, from the cache, from a request in flight or from a new request.

        Args:
            request: The request.
            deadline: Deadline of this caller.
            namespace: Tenant of this caller.
            credentials_version: Version of the credentials: responses are not shared between versions.

        Raises:
            BackendUnavailableError: The deadline passed.
            ProviderError: The error of the request. All its callers get it, and it is not cached.
        """
        key = _digest(f"{credentials_version}\0{request.cache_key}")
        if (data := self._cache.get(key)) is not None:
            self._observer.request_avoided(self._name, Source.CACHE)
            return data
        return await self._single_flight.call(key, partial(self._fetch, key, request), deadline, namespace)

    async def close(self) -> None:
        """Cancel the requests in flight."""
        await self._single_flight.close()

    async def _fetch(self, key: bytes, request: GraphqlRequest, shared_request: SharedRequest) -> Data:
        expires_at = self._monotonic() + self._cache_ttl(request)
        data = await self._execute(request, shared_request)
        self._cache.put(key, data, expires_at)
        return data

    def _on_join(self, shared_request: SharedRequest, namespace: str) -> None:
        self._observer.request_avoided(self._name, Source.SINGLE_FLIGHT)
        self._limiter.add_tenant(shared_request, namespace)

    def _timeout_error(self, shared_request: SharedRequest) -> BackendUnavailableError:
        if shared_request.slot_granted is not None:
            return self._limiter.overload_error("no slot before the deadline")
        return BackendUnavailableError(
            f"backend {self._name} did not respond before the deadline", kind=FailureKind.DEADLINE
        )


def _digest(key: str) -> bytes:
    """Return a short key: the texts of a thousand requests took 0.7 MB."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
