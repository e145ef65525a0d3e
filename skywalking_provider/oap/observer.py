"""Observer of the requests to OAP servers. Metrics implement it in another package."""

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """Result of a request to an OAP: a closed set, used as a metric label."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    REJECTED = "rejected"
    QUERY_INVALID = "query_invalid"
    RESPONSE_INVALID = "response_invalid"
    CANCELLED = "cancelled"


class Source(StrEnum):
    """Source of a response that needed no request of its own."""

    SINGLE_FLIGHT = "single_flight"
    CACHE = "cache"


class EventOutcome(StrEnum):
    """Fate of an event for SkyWalking: a closed set, used as a metric label."""

    SENT = "sent"
    """The OAP accepted it."""
    QUEUE_FULL = "queue_full"
    """Dropped, because the queue was full: the OAP accepts events too slowly."""
    UNAVAILABLE = "unavailable"
    """Dropped after several attempts without a usable response."""
    REJECTED = "rejected"
    """Dropped, because the OAP rejects it."""
    NO_SERVICE = "no_service"
    """Dropped, because the OAP does not list its service."""
    STOPPED = "stopped"
    """Dropped, because the service stopped before it was sent."""


class Circuit(StrEnum):
    """State of a circuit breaker: requests pass if closed, none if open, one probe if half-open."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Observer:
    """Receiver of events; this one ignores them. An implementation is fast and never raises.

    `backend` is the configured name.
    """

    def request_started(self, backend: str) -> None:
        """Handle the start of an HTTP request. `request_done` always follows."""

    def request_done(self, backend: str, outcome: Outcome, seconds: float) -> None:
        """Handle the end of an HTTP request and its duration."""

    def request_avoided(self, backend: str, source: Source) -> None:
        """Handle a read that needed no request of its own."""

    def retried(self, backend: str) -> None:
        """Handle a request that failed and is sent again."""

    def shed(self, backend: str) -> None:
        """Handle a request that is rejected because it gets no slot before its deadline (`maxRequests`)."""

    def circuit_changed(self, backend: str, state: Circuit) -> None:
        """Handle a new state of the circuit breaker; the first one is closed."""

    def events_done(self, backend: str, outcome: EventOutcome, count: int = 1) -> None:
        """Handle the end of events for SkyWalking's event API: sent or dropped."""

    def clock_skew(self, backend: str, seconds: float) -> None:
        """Handle the offset of an OAP's clock: seconds ahead of the local clock."""


UNOBSERVED: Final = Observer()
