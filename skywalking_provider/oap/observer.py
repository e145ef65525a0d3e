"""What happens in this room, told to whoever counts it: metrics and traces live elsewhere."""

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """How a request to an OAP ended: a closed set, fit for a label."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    REJECTED = "rejected"
    QUERY_INVALID = "query_invalid"
    RESPONSE_INVALID = "answer_invalid"
    CANCELLED = "cancelled"


class Source(StrEnum):
    """Where an answer came from that needed no request of its own."""

    SINGLE_FLIGHT = "flight"
    CACHE = "cache"


class Circuit(StrEnum):
    """The state of a backend's circuit: closed is well, open asks nothing, half-open tries with one request."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Observer:
    """Is told what happens; this one does nothing with it. Who counts overrides, is quick and never raises.

    `backend` is the configured name.
    """

    def request_started(self, backend: str) -> None:
        """One HTTP request to an OAP is on its way; `request_done` follows in any case."""

    def request_done(self, backend: str, outcome: Outcome, seconds: float) -> None:
        """It ended, after so many seconds."""

    def request_avoided(self, backend: str, source: Source) -> None:
        """A question was answered by another's request, in flight or done before."""

    def retried(self, backend: str) -> None:
        """A request failed and is tried again."""

    def shed(self, backend: str) -> None:
        """A request was refused because it would not have got its turn in time (`maxRequests`)."""

    def circuit_changed(self, backend: str, state: Circuit) -> None:
        """The circuit has a new state; it begins closed."""

    def clock_skew(self, backend: str, seconds: float) -> None:
        """An OAP told its clock: so many seconds ahead of ours."""


UNOBSERVED: Final = Observer()
