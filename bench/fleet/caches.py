"""Caches of a replica, and one that replicas share. No I/O: the time is an argument.

The rules are those of the product: `oap/traffic/cached_reader.py`, `oap/traffic/single_flight.py` and
`analysis/verdict_cache.py`. Keys hold the minute of the window, which changes when a bucket closes.
"""

from collections.abc import Hashable
from enum import Enum, auto
from typing import Generic, TypeVar

Key = Hashable
W = TypeVar("W")


class Lookup(Enum):
    """Result of a lookup."""

    VERDICT = auto()
    RESPONSE = auto()
    IN_FLIGHT = auto()
    MISS = auto()


class Flight(Generic[W]):
    """A request in progress with its waiters.

    Attributes:
        key: Key of the response.
        began_at: Start of the request, from which its TTL counts.
        deadline: Latest deadline of the waiters.
        attempt: Number of the attempt.
        waiters: Callers that wait for the response; the first one started it.
    """

    __slots__ = ("attempt", "began_at", "deadline", "key", "waiters")

    def __init__(self, key: Key, began_at: float, deadline: float, waiter: W) -> None:
        self.key = key
        self.began_at = began_at
        self.deadline = deadline
        self.attempt = 1
        self.waiters = [waiter]


class ReplicaCache(Generic[W]):
    """Caches and requests in flight of one replica.

    Args:
        response_ttl: TTL of a response in seconds, from the start of its request.
        verdict_ttl: TTL of a verdict in seconds, from the start of its measurement.
    """

    def __init__(self, response_ttl: float, verdict_ttl: float) -> None:
        self.response_ttl = response_ttl
        self._verdict_ttl = verdict_ttl
        # State: the ends of verdicts and responses, and the requests in flight.
        self._verdicts: dict[Key, float] = {}
        self._responses: dict[Key, float] = {}
        self.flights: dict[Key, Flight[W]] = {}

    def look_up(self, verdict_key: Key, key: Key, now: float) -> Lookup:
        """Return the best source of a measurement."""
        if self._verdicts.get(verdict_key, now) > now:
            return Lookup.VERDICT
        if self._responses.get(key, now) > now:
            return Lookup.RESPONSE
        return Lookup.IN_FLIGHT if key in self.flights else Lookup.MISS

    def begin(self, key: Key, now: float, deadline: float, waiter: W) -> Flight[W]:
        """Begin a request."""
        flight = self.flights[key] = Flight(key, now, deadline, waiter)
        return flight

    def join(self, key: Key, deadline: float, waiter: W) -> None:
        """Wait for a request in flight."""
        flight = self.flights[key]
        flight.waiters.append(waiter)
        flight.deadline = max(flight.deadline, deadline)

    def end(self, flight: Flight[W]) -> None:
        """End a request, with or without a response."""
        del self.flights[flight.key]

    def put_response(self, key: Key, expires_at: float, now: float) -> None:
        """Cache a response until a time."""
        if expires_at > now:
            self._responses[key] = expires_at

    def put_verdict(self, key: Key, measured_at: float, now: float) -> None:
        """Cache the verdict of a measurement that began at a time."""
        if measured_at + self._verdict_ttl > now:
            self._verdicts[key] = measured_at + self._verdict_ttl

    def forget_expired(self, now: float) -> None:
        """Drop what has expired, so that the memory of a long simulation is bounded."""
        for ends in (self._verdicts, self._responses):
            for key in [key for key, end in ends.items() if end <= now]:
                del ends[key]


class SharedCache:
    """Responses that all replicas read. Requests in flight are not shared: a lookup before the response is a miss."""

    def __init__(self) -> None:
        self._expiry: dict[Key, float] = {}

    def get(self, key: Key, now: float) -> float | None:
        """Return the expiry of a response, or None."""
        expires_at = self._expiry.get(key, now)
        return expires_at if expires_at > now else None

    def put(self, key: Key, expires_at: float) -> None:
        """Store a response."""
        self._expiry[key] = expires_at
