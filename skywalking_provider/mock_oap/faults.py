"""Faults between a client and an OAP, enabled and disabled while the mock runs."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MEBIBYTE: Final = 1024 * 1024


class FaultError(ValueError):
    """An invalid fault."""


class FaultKind(StrEnum):
    """Kinds of faults."""

    LATENCY = "latency"
    """The response is delayed by `seconds`."""
    STATUS = "status"
    """An HTTP `status` (500, 503, 401, 403, 404, ...) with the text of OAP's HTTP server."""
    HTML = "html"
    """An HTML page as from a proxy, with `status` (default 200)."""
    RESET = "reset"
    """The connection is reset before any response."""
    HANG = "hang"
    """No response for `seconds`, or until the client disconnects; then the connection is reset."""
    TRUNCATED = "truncated"
    """Half of the response, then the connection closes."""
    HUGE = "huge"
    """A JSON response of `size` bytes."""
    WRONG_TYPES = "wrong-types"
    """The response with about `size` bytes of a wrong type in its first list."""
    REDIRECT = "redirect"
    """A redirection (302) to `location`."""
    STORAGE_DOWN = "storage-down"
    """The first read is a GraphQL error, later ones are HTTP 503 after `seconds`. `getTimeInfo` still works."""
    RESPONSE = "response"
    """A fixed response: `status`, `body`, `contentType`."""


class Fault(BaseModel):
    """One fault: its kind, the requests that it applies to, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: FaultKind
    seconds: float | None = Field(default=None, ge=0, le=86_400)
    """Duration of latency (default 1), hang (default unlimited) and storage-down (default 10)."""
    status: int | None = Field(default=None, ge=200, le=599)
    body: str = ""
    content_type: str | None = Field(default="application/json", alias="contentType")
    location: str = "/login"
    size: int = Field(default=64 * MEBIBYTE, gt=0, le=1024 * MEBIBYTE)
    times: int | None = Field(default=None, ge=1)
    """Number of requests that it applies to; None applies it until it is disabled."""
    match: str = ""
    """Text that the body of the request must contain."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a fault of the command line: `kind` or `kind:key=value,...`, e.g. `status:status=503,times=3`."""
        kind, _, rest = text.partition(":")
        content: dict[str, Any] = {"kind": kind}
        for pair in filter(None, rest.split(",")):
            key, separator, value = pair.partition("=")
            if not separator:
                raise FaultError(f"fault {text!r}: {pair!r} is not key=value")
            content[key] = value
        return cls.from_json(content)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Validate a fault.

        Raises:
            FaultError: With the place of each problem.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise FaultError("; ".join(_format_errors(error))) from error


def _format_errors(validation_error: ValidationError) -> Iterable[str]:
    for error in validation_error.errors(include_url=False):
        place = ".".join(str(part) for part in error["loc"]) or "fault"
        yield f"{place}: {error['msg']}"


class Faults:
    """The enabled faults, in the order in which they were enabled."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._active: list[tuple[Fault, int]] = []  # each with the number of requests that it applied to
        for fault in faults:
            self.add(fault)

    @property
    def active(self) -> tuple[Fault, ...]:
        """The enabled faults."""
        return tuple(fault for fault, _ in self._active)

    def add(self, fault: Fault) -> None:
        """Enable a fault."""
        self._active.append((fault, 0))

    def clear(self) -> None:
        """Disable all faults."""
        self._active.clear()

    def match_request(self, body: str) -> Fault | None:
        """Return the first fault that applies to a request, and count it."""
        for index, (fault, count) in enumerate(self._active):
            if fault.match in body:
                if fault.times is not None and count + 1 >= fault.times:
                    del self._active[index]
                else:
                    self._active[index] = (fault, count + 1)
                return fault
        return None
